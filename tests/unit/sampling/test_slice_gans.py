"""Tests of DCGAN and WGAN: layers and numbers of the paper, gradients, one batch by heart, alarm of collapse."""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from fixtures_samplers import PLAIN
from glioforge.compute.accelerator import seed_torch, start
from glioforge.core import CohortError, Modality, SpecError, stream
from glioforge.nn.dcgan import DcganCritic, DcganGenerator
from glioforge.sampling.base import known_of, train_sampler
from glioforge.sampling.method import SAMPLERS
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

TINY = {"size": 32, "width": 4, "latent": 4, "batch_size": 8, "least_brain": 0.0}


def sampler_of(cohort, **settings):
    """A sampler of tiny networks, untrained."""
    spec = SAMPLERS.parse({"kind": "dcgan", **TINY, **settings})
    seed_torch(1, "weights")
    return SAMPLERS.part_for(spec)(spec, known_of(spec, cohort))


@pytest.mark.parametrize("kind", ["dcgan", "wgan"])
@pytest.mark.parametrize("size", [64, 128])
def test_layers_and_numbers_of_weights_are_those_of_the_paper(kind, size):
    """Half of Radford's widths, 4 x 4 kernels, ReLU and ELU, a linear end, and one score, counted layer by layer."""
    spec = SAMPLERS.parse({"kind": kind, "preset": "paper", "size": size})
    generator = DcganGenerator(spec.latent, 1, spec.width, size, texture=spec.texture)
    critic = DcganCritic(1, spec.width, size, norm=spec.critic_norm, deviation=spec.deviation)
    ups = [layer for layer in generator.modules() if isinstance(layer, nn.ConvTranspose2d)]
    downs = [layer for layer in critic.modules() if isinstance(layer, nn.Conv2d)]
    widths = [64, 128, 256, 512] if size == 64 else [64, 128, 256, 512, 512]
    assert [layer.out_channels for layer in ups] == [*reversed(widths), 1]
    assert [layer.out_channels for layer in downs] == [*widths, 1]
    assert {layer.kernel_size for layer in (*ups, *downs)} == {(4, 4)}
    assert sum(isinstance(layer, nn.ELU) for layer in critic.modules()) == len(widths)
    assert not any(isinstance(layer, nn.Tanh) for layer in generator.modules())
    # 100 x 512, then 16 weights for each pair of channels, one bias at the end, and two numbers a norm's channel.
    inner = 16 * sum(a * b for a, b in pairwise(widths))
    assert sum(p.numel() for p in generator.parameters()) == 16 * 100 * 512 + inner + 16 * 64 + 1 + 2 * sum(widths)
    assert sum(p.numel() for p in critic.parameters()) == (16 + 1) * 64 + inner + 16 * 512 + 1 + 2 * sum(widths[1:])
    assert generator(torch.randn(2, 100), torch.zeros(2, 0)).shape == (2, 1, size, size)
    assert critic(torch.randn(2, 1, size, size), torch.zeros(2, 0)).shape == (2,)


def test_settings_of_the_paper():
    """Batch 64; Adam at 2e-4; RMSprop at 5e-5, weights cut at 0.01, five steps of the critic."""
    dcgan, wgan = (SAMPLERS.parse({"kind": kind, "preset": "paper"}) for kind in ("dcgan", "wgan"))
    assert dcgan.batch_size == wgan.batch_size == 64
    players = (dcgan.optimizer, dcgan.losses.critic, wgan.optimizer, wgan.losses.critic)
    assert [player.method for player in players] == ["adam", "adam", "rmsprop", "rmsprop"]
    assert [player.learning_rate for player in players] == [2e-4, 2e-4, 5e-5, 5e-5]
    assert (dcgan.losses.adversary, wgan.losses.adversary) == ("vanilla", "wasserstein")
    assert (wgan.losses.weight_clip, wgan.losses.critic_steps) == (0.01, 5)


@pytest.mark.parametrize("preset", ["paper", "sound"])
@pytest.mark.parametrize("kind", ["dcgan", "wgan"])
def test_every_weight_of_both_players_gets_a_gradient(kind, preset):
    """Within the steps of one turn no weight is left as it was; the critic's stay within their limit.

    The one exception is a constant added to all scores of a Wasserstein critic, which cancels out of its loss.
    """
    cohort = toy_cohort([1, 2])
    asked = {} if preset == "paper" else {"plane": "axial", "conditions": ("tumour", "size", "side")}
    sampler = sampler_of(cohort, kind=kind, preset=preset, modalities=("t1", "flair"), **asked)
    sampler.before_training(sampler.network, cohort)
    recipe = sampler.recipe(sampler.network, 8)
    batches, before = sampler.batches(cohort, 1), deepcopy(dict(recipe.networks.named_parameters()))
    for step in range(6):
        losses = recipe.step(batches(step), step, start(PLAIN))
        assert all(torch.isfinite(value) for value in losses.values())
    left = {name for name, new in recipe.networks.named_parameters() if torch.equal(before[name], new)}
    assert left <= ({"critic.last.bias"} if kind == "wgan" else set())
    if preset == "paper" and kind == "wgan":
        assert max(float(p.detach().abs().max()) for p in recipe.networks["critic"].parameters()) <= 0.01 + 1e-7


def test_the_generator_moves_at_every_fifth_step_of_the_critic_alone():
    """Four steps leave it, the fifth does not."""
    cohort = toy_cohort([1])
    sampler = sampler_of(cohort, kind="wgan", preset="paper", modalities=("t1",))
    recipe, batches = sampler.recipe(sampler.network, 5), sampler.batches(cohort, 1)
    weight = sampler.network.first.weight
    before, moved = weight.detach().clone(), []
    for step in range(5):
        recipe.step(batches(step), step, start(PLAIN))
        moved.append(not torch.equal(before, weight))
    assert moved == [False, False, False, False, True]


def test_one_batch_is_learned_by_heart():
    """Trained on eight slices alone, the generator comes near each of them, to less than half of where it began."""
    cohort = toy_cohort([1, 2])
    player = {"method": "adam", "learning_rate": 2e-3, "momentum": 0, "second_momentum": 0.9, "weight_decay": 0}
    plain = {"texture": False, "critic_norm": "spectral", "losses": {"critic": player, "r1": 0, "augment": ()}}
    sampler = sampler_of(cohort, modalities=("t1",), optimizer=player, ema=0.9, **plain)
    recipe, fixed = sampler.recipe(sampler.network, 1000), sampler.batches(cohort, 1)(0)

    def distance():
        # With the statistics of this batch: those noted on the way lag behind an average of so few steps.
        made = recipe.inference_network().train()(torch.randn(64, sampler.network.noise), torch.zeros(64, 0))
        return float(torch.cdist(fixed["images"].flatten(1), made.detach().flatten(1)).amin(dim=1).mean())

    torch.manual_seed(0)
    far = distance()
    for step in range(130):
        recipe.networks.train()
        recipe.step(fixed, step, start(PLAIN))
    assert distance() < far / 2


@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_planted_collapse_sounds_the_alarm(tmp_path, batch_size):
    """A generator whose noise is cut off makes one slice for all, and the training says so, also of single slices."""
    spec = SAMPLERS.parse(
        {
            "kind": "dcgan",
            **TINY,
            "texture": False,
            "batch_size": batch_size,
            "critic_norm": "none",
            "budget": {"steps": 6, "validate_every": 1, "checkpoint_every": 6},
            "optimizer": {"method": "adam", "learning_rate": 1e-12, "weight_decay": 0},
        }
    )
    part = SAMPLERS.part_for(spec)

    class Collapsed(part):
        """The same, with a first layer that noise does not pass."""

        def recipe(self, network, steps):
            """Cut the noise off."""
            nn.init.zeros_(network.first.weight)
            for norm in network.norms:
                nn.init.ones_(norm.bias)
            return super().recipe(network, steps)

    outcomes = []
    for kind in (Collapsed, part):
        sampler = kind(spec, known_of(spec, toy_cohort([1, 2, 3])))
        outcomes.append(sampler.fit(fitting_of(tmp_path / kind.__name__)))
    assert any("hardly differ" in alarm for alarm in outcomes[0].alarms), outcomes[0].history
    assert all(row["variety_lost"] > 0.8 for row in outcomes[0].history)


def fitting_of(folder):
    """A training on three toy heads."""
    from glioforge.core import Silent
    from glioforge.training.budget import Fitting

    return Fitting(toy_cohort([1, 2, 3]), None, folder, 1, PLAIN, Silent())


@pytest.fixture(scope="module")
def conditioned(tmp_path_factory):
    """A sampler of axial slices that can be asked for findings, trained for two steps."""
    spec = SAMPLERS.parse(
        {
            "kind": "dcgan",
            **TINY,
            "plane": "axial",
            "between": (0, 1),
            "conditions": ("tumour", "size", "side"),
            "budget": {"steps": 2, "validate_every": 2, "checkpoint_every": 2},
        }
    )
    return train_sampler(toy_cohort([1, 2, 3]), None, spec, tmp_path_factory.mktemp("m") / "m", accelerator=PLAIN)


def test_draws_show_what_is_asked_and_their_facts_say_so(conditioned):
    """A request leaves its findings; facts of a draw are those of the same state of the generator."""
    plain = [conditioned.findings(stream(n)) for n in range(40)]
    asked = conditioned.asked({"tumour": "present", "side": "right"})
    facts = [asked.findings(stream(n)) for n in range(10)]
    assert {fact["asked_tumour"] for fact in plain} == {"present", "absent"}
    assert {(fact["asked_tumour"], fact["asked_side"]) for fact in facts} == {("present", "right")}
    assert all(fact["asked_size_percent"] > 0 for fact in facts)
    with pytest.raises(SpecError, match="no training slice with tumour absent, side left"):
        conditioned.asked({"tumour": "absent", "side": "left"})
    with pytest.raises(SpecError, match="'huge'"):
        conditioned.asked({"size": "huge"})


def test_conditions_need_labels_a_plane_that_shows_them_and_both_kinds_of_slices():
    """Each of the three is one message."""
    cohort = cohort_of_cases([replace(toy_case(1), labels=None)])
    sampler = sampler_of(cohort, conditions=("tumour",))
    with pytest.raises(CohortError, match="cases without labels"):
        sampler.before_training(sampler.network, cohort)
    with pytest.raises(ValueError, match="do not show both sides"):
        SAMPLERS.parse({"kind": "dcgan", "conditions": ["side"]})
    with pytest.raises(ValueError, match="tumour: any"):
        SAMPLERS.parse({"kind": "dcgan", "conditions": ["tumour"], "tumour": "with"})


def test_a_pool_makes_single_contrasts_and_files_them_by_their_intensities():
    """The contrast of most real slices is found again, though noise hides some; a draw has one contrast."""
    cohort = toy_cohort([1, 2, 3])
    sampler = sampler_of(cohort, pooled=True, modalities=("t1", "flair"))
    sampler.before_training(sampler.network, cohort)
    images = sampler.examples(cohort)["images"].float().numpy()
    found = [next(iter(sampler.volumes(image))) for image in images]
    right = [a == b for a, b in zip(found, [Modality.T1, Modality.FLAIR] * (len(images) // 2), strict=True)]
    assert np.mean(right) > 0.75
    assert len(sampler.make(stream(1), PLAIN)) == 1


def test_a_finished_slice_is_one_region_without_holes():
    """Specks beyond the brain become 0, dark pixels within it stay."""
    sampler = sampler_of(toy_cohort([1]), modalities=("t1",))
    image = np.full((1, 32, 32), -1, np.float32)
    image[0, 8:20, 8:20] = 0.2
    image[0, 12, 12] = -0.9
    image[0, 2, 2] = 0.5
    (volume,) = sampler.volumes(image).values()
    shown = volume.voxels[0]
    assert shown[2, 2] == 0
    assert shown[12, 12] == pytest.approx(-0.6 * 5)
    assert (shown != 0).sum() == 144


def test_the_nearest_validation_is_kept_where_the_spec_asks_for_it():
    """As many slices as held-out subjects have are scored; without `select` nothing is, and the spec is as before."""
    sampler = sampler_of(toy_cohort([1, 2]), select=True)
    score = sampler.score(toy_cohort([3]), 1)
    assert score is not None
    assert score(sampler.network.eval()) == score(sampler.network) == -score.scalars["swd"] < 0
    plain = sampler_of(toy_cohort([1, 2]))
    assert plain.score(toy_cohort([3]), 1) is None
    assert "select" not in plain.spec.model_dump(mode="json")
