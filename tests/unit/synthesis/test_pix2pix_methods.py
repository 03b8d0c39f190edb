"""Promises of pix2pix and pix2pixHD that the laws over all synthesizers don't hold."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.rng import stream
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.nn.blocks import InstanceNorm
from glioforge.nn.pix2pix import NoiseDropout
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.methods.pix2pix import seeded_dropout
from glioforge.synthesis.methods.pix2pixhd import halved
from toy_cohort import toy_case, toy_cohort
from toy_training import fabric

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
CONTRASTS = (Modality.T1, Modality.FLAIR)
TINY = {
    "pix2pix": {"kind": "pix2pix", "ngf": 2, "levels": 3, "critic_width": 2, "critic_layers": 2, "batch_size": 2},
    "pix2pixhd": {
        "kind": "pix2pixhd",
        "ngf": 4,
        "halvings": 1,
        "blocks": 1,
        "enhancer_blocks": 1,
        "critic_width": 2,
        "critic_layers": 2,
        "critic_scales": 1,
        "batch_size": 2,
    },
}


def method_of(**values):
    """An untrained method that knows two toy subjects."""
    spec = SYNTHESIZERS.parse(values)
    known = Knowledge(CONTRASTS, COMPLETE, Appearance.of([toy_case(1), toy_case(2)], CONTRASTS, COMPLETE))
    return SYNTHESIZERS.part_for(spec)(spec, known)


def players(losses):
    """Method, rate and averaging of both optimisers."""
    return [(p.method, p.learning_rate, p.momentum, p.second_momentum) for p in (losses.generator, losses.critic)]


def test_paper_presets_of_pix2pix_are_the_papers():
    """Volume, depth, widths, losses, rates and stages of the texts; four channels from seven labels."""
    spec = SYNTHESIZERS.parse({"kind": "pix2pix", "preset": "paper"})
    assert (spec.dims, spec.size, spec.ngf, spec.levels, spec.dropout) == (3, (128, 128, 54), 64, 7, 0.5)
    assert (spec.critic_width, spec.critic_layers, spec.critic_scales) == (64, 4, 1)
    assert (spec.losses.adversary, spec.losses.l1_over, spec.losses.feature_matching) == ("vanilla", "image", 0)
    assert spec.losses.l1 == 100 / 5, "100 for images within -1 and 1; ours span -5 to 5"
    assert (spec.masked, spec.lesion_share) == (False, 0)
    assert players(spec.losses) == [("adam", 2e-4, 0.5, 0.999)] * 2
    assert (spec.batch_size, spec.output, spec.deviation, spec.upsampling) == (1, "tanh", 0.02, "transposed")
    assert (spec.gaps, spec.gaps_then, spec.gaps_first) == (True, "complete", "epochs")
    assert (spec.budget.epochs, spec.budget.steps) == (200, 0)
    assert [spec.style, spec.grain, spec.mirror, spec.position] == [False, 0, False, False]
    flat = SYNTHESIZERS.parse({"kind": "pix2pix", "preset": "paper_2d"})
    assert (flat.dims, flat.size, flat.levels, flat.context, flat.lesion_share) == (2, (256, 256), 8, 0, 0)


def test_the_papers_critic_is_what_the_presets_build():
    """C64-C128-C256-C512 with padding 1, instance norm that scales and shifts, no spectral norm: 30 x 30 scores."""
    with torch.device("meta"):
        method = method_of(kind="pix2pix", preset="paper_2d")
        critic = method.recipe(method.network, 10).networks["critic"]
    convolutions = [layer for layer in critic.modules() if isinstance(layer, torch.nn.Conv2d)]
    described = [(c.out_channels, c.kernel_size[0], c.stride[0], c.padding[0]) for c in convolutions]
    assert described == [(64, 4, 2, 1), (128, 4, 2, 1), (256, 4, 2, 1), (512, 4, 1, 1), (1, 4, 1, 1)]
    norms = [layer for layer in critic.modules() if isinstance(layer, InstanceNorm)]
    assert [layer.weight.shape for layer in norms] == [(128,), (256,), (512,)]
    kernels = 16 * (9 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    assert sum(p.numel() for p in critic.parameters()) == kernels + 64 + 1 + 2 * (128 + 256 + 512)
    scores, _ = critic(torch.zeros(1, 7, 256, 256, device="meta"), torch.zeros(1, 2, 256, 256, device="meta"))
    assert [score.shape for score in scores] == [(1, 1, 30, 30)]


def test_l1_of_the_paper_is_a_hundredfold_for_images_within_1():
    """A difference of 0.1 on the paper's scale, half a z-score on ours, costs 10 everywhere, background included."""
    spec = SYNTHESIZERS.parse({**TINY["pix2pix"], "preset": "paper_2d", "size": (16, 14)})
    method = method_of(**spec.model_dump(mode="json"))
    batch = {**method.batches(toy_cohort([1]), 1)(0)}
    recipe = method.recipe(method.network, 10)
    batch["brain"] = batch["brain"] & (torch.arange(14) < 4)
    loss = recipe._plain_terms(batch["images"] + 0.5, batch)["l1"]
    assert float(loss) == pytest.approx(100 * 0.1)


def test_the_papers_networks_paint_the_background_themselves():
    """Losses and critic see it; `sound` masks it."""
    for preset, masked in (("paper_2d", False), ("sound", True)):
        method = method_of(**{**TINY["pix2pix"], "preset": preset, "size": (16, 14)})
        batch = method.batches(toy_cohort([1]), 1)(0)
        outside = ~batch["brain"][:, None].expand_as(batch["images"])
        assert bool(method.generate(method.network, batch)[outside].any()) != masked


def test_the_papers_generator_takes_the_papers_volume():
    """Built with the preset's widths: 128 x 128 x 54 comes back in both contrasts."""
    with torch.device("meta"):
        generator = method_of(kind="pix2pix", preset="paper").network.generator
        assert generator(torch.zeros(1, 7, 128, 128, 54)).shape == (1, 2, 128, 128, 54)
    assert len(generator.down) == 7


def test_paper_preset_of_pix2pixhd_is_the_paper():
    """Layer string, critics, losses and rates of the text."""
    spec = SYNTHESIZERS.parse({"kind": "pix2pixhd", "preset": "paper"})
    assert (spec.ngf, spec.halvings, spec.blocks, spec.enhancers, spec.enhancer_blocks) == (64, 4, 9, 1, 3)
    assert (spec.critic_width, spec.critic_layers, spec.critic_scales) == (64, 4, 3)
    assert (spec.losses.adversary, spec.losses.feature_matching, spec.losses.l1) == ("lsgan", 10, 0)
    assert players(spec.losses) == [("adam", 2e-4, 0.5, 0.999)] * 2
    assert spec.losses.generator.schedule == "constant_linear"
    assert (spec.norm, spec.batch_size, spec.output, spec.deviation) == ("instance", 1, "tanh", 0.02)


@pytest.mark.parametrize("kind", ["pix2pix", "pix2pixhd"])
def test_every_parameter_gets_a_gradient(kind):
    """Each weight has a part in the image, with all inputs on."""
    torch.manual_seed(0)
    network = method_of(**TINY[kind], noise=True, position=True).network
    made = network(
        torch.randint(0, 7, (2, 3, 20, 18)), torch.ones(2, 5), torch.randn(2, 7, 2), torch.randn(2, 1, 20, 18)
    )
    made.square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []


def test_dropout_alone_varies_the_images_of_pix2pix(tmp_path):
    """Without style and grain two draws differ, and the masks are the first ones again afterwards."""
    budget = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
    spec = SYNTHESIZERS.parse({**TINY["pix2pix"], "style": False, "grain": 0.0, "budget": budget})
    trained = train_synthesizer(toy_cohort([1, 2]), None, spec, tmp_path, seed=1, accelerator=PLAIN)
    labels = toy_case(5).labels
    first, second, again = (trained.synthesize(labels, stream(seed))[Modality.T1].voxels for seed in (1, 2, 1))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, again)


def test_every_member_of_an_ensemble_draws_its_own_dropout(tmp_path):
    """A draw of any member has the masks of its own seed, and all members have those of seed 0 afterwards."""
    method = method_of(**TINY["pix2pix"], style=False, grain=0.0, ensemble=3)
    seen = []
    for member in method.network:
        layers = [layer for layer in member.modules() if isinstance(layer, NoiseDropout)]
        with seeded_dropout(method.network, 99):
            seen.append([layer.seed for layer in layers])
        assert [layer.seed for layer in layers] == [0, 1]
    assert seen == [[297, 298]] * 3


def test_an_observed_pix2pix_answers_to_its_noise():
    """In evaluation two batches of images differ, as torch's generator says, and the masks are put back."""
    method = method_of(**TINY["pix2pix"], style=False)
    batch = method.batches(toy_cohort([1, 2]), 1)(0)
    network = method.network.eval()
    seeds = [layer.seed for layer in network.modules() if isinstance(layer, NoiseDropout)]
    torch.manual_seed(1)
    first, second = method.generate(network, batch), method.generate(network, batch)
    torch.manual_seed(1)
    assert not torch.equal(first, second)
    assert torch.equal(first, method.generate(network, batch))
    assert seeds == [layer.seed for layer in network.modules() if isinstance(layer, NoiseDropout)]


@pytest.mark.parametrize("dims", [2, 3])
def test_the_coarse_stage_learns_on_grids_of_half_the_size(dims):
    """Images, labels and brain shrink together, the place in the head with them; then whole batches follow."""
    method = method_of(**TINY["pix2pixhd"], coarse_share=0.5, dims=dims, position=True, budget={"steps": 4})
    batches = method.batches(toy_cohort([1, 2]), 1)
    small, large = batches(1), batches(2)
    assert "coarse" not in large
    assert small["images"].shape[2:] == tuple(-(-n // 2) for n in large["images"].shape[2:])
    made = method.generate(method.network, small)
    assert made.shape == small["images"].shape
    made.square().sum().backward()
    enhancer = [p for name, p in method.network.named_parameters() if "fronts" in name or "backs" in name]
    assert enhancer
    assert not any(p.grad.any() for p in enhancer)
    assert batches(2)["images"].shape == large["images"].shape
    assert not small["images"][~small["brain"][:, None].expand_as(small["images"])].any()


def staged(share, **budget):
    """Tiny pix2pixHD whose first stage takes a share of the steps."""
    lengths = {"steps": 8, "validate_every": 1, "checkpoint_every": 8, **budget}
    return SYNTHESIZERS.parse({**TINY["pix2pixhd"], "coarse_share": share, "budget": lengths, "grain": 0.0})


@pytest.mark.parametrize(("preset", "steps"), [("paper", 2), ("sound", 8), ("paper", 100)])
def test_the_enhancer_learns_under_any_budget(preset, steps):
    """Its share of the steps scales with them; a share of all steps is refused, as a number of steps is."""
    sizes = {**TINY["pix2pixhd"], "preset": preset, "budget": {"steps": steps}, "modalities": None}
    method = method_of(**sizes)
    batches = method.batches(toy_cohort([1, 2]), 1)
    stages = ["coarse" in batches(step) for step in range(steps)]
    assert stages == sorted(stages, reverse=True)
    assert not stages[-1]
    assert sum(stages) == int(method.spec.coarse_share * steps)
    for refused in (1.0, 100_000):
        with pytest.raises(ValidationError, match="coarse_share"):
            SYNTHESIZERS.parse({**sizes, "coarse_share": refused})


def test_an_enhancer_that_never_learned_paints_nothing(tmp_path):
    """A training that ends in the coarse stage paints by the global generator alone, enlarged to the grid."""
    spec = staged(0.9, patience=2, min_delta=1e6).model_copy(update={"select": True})
    cohorts = (toy_cohort([1, 2]), toy_cohort([9], "validation"))
    trained = train_synthesizer(*cohorts, spec, tmp_path, seed=1, accelerator=PLAIN)
    assert trained.card.outcome.steps == 3
    labels, network = toy_case(5).labels, trained._method.network
    before = trained.synthesize(labels, stream(1))[Modality.T1].voxels
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "fronts" in name or "backs" in name or "heads.1" in name:
                parameter.normal_()
    assert np.array_equal(before, trained.synthesize(labels, stream(1))[Modality.T1].voxels)
    assert before[labels.voxels > 0].std() > 0


def test_critics_see_images_of_one_size_and_a_fresh_one_joins_with_the_enhancer():
    """In the coarse stage the finest critic rests; then the coarsest does. What rests takes no step of Adam."""
    method = method_of(**{**TINY["pix2pixhd"], "critic_scales": 2}, coarse_share=0.5, budget={"steps": 4})
    method.network.train()
    recipe = method.recipe(method.network, 4)
    batches, critics = method.batches(toy_cohort([1, 2]), 1), recipe.networks["critic"].critics
    sizes = [[], [], []]
    for number, critic in enumerate(critics):
        critic.register_forward_hook(lambda module, inputs, made, n=number: sizes[n].append(inputs[0].shape[-1]))
    starts = [critic.score.weight.detach().clone() for critic in critics]
    moved = []
    for step in range(4):
        recipe.step(batches(step), step, fabric())
        moved.append([bool((c.score.weight != start).any()) for c, start in zip(critics, starts, strict=True)])
    assert moved[1] == [False, True, True]
    assert moved[3] == [True, True, True]
    assert [set(seen) for seen in sizes] == [{14}, {7}, {4}]
    steps = [recipe.optimizers["critic"].state[critic.score.weight]["step"].item() for critic in critics]
    assert steps == [2, 4, 2]
    generator = method.network.generator
    taken = recipe.optimizers["generator"].state
    assert [taken[head.weight]["step"].item() for head in generator.heads] == [2, 2]


def test_the_average_of_the_weights_forgets_the_enhancers_random_start():
    """It starts again when the enhancer joins."""
    method = method_of(**TINY["pix2pixhd"], coarse_share=0.5, budget={"steps": 200})
    recipe = method.recipe(method.network, 200)
    head, average = method.network.generator.heads[1], recipe.inference_network().generator.heads[1]
    with torch.no_grad():
        head.weight.fill_(1.0)
    for step in range(100, 103):
        recipe.settle(step)
    assert float((average.weight - 1).abs().max()) < 0.01


def test_halving_keeps_every_second_voxel_and_the_mean():
    """Centre and half width of the brain's box are halved, the height is not."""
    batch = {
        "images": torch.full((1, 1, 5, 4), 2.0),
        "labels": torch.arange(20).view(1, 1, 5, 4),
        "brain": torch.ones(1, 5, 4, dtype=torch.bool),
        "frame": torch.tensor([[4.0, 2.0, 2.0, 1.0, 0.5]]),
    }
    small = halved(batch)
    assert small["labels"][0, 0].tolist() == [[0, 2], [8, 10], [16, 18]]
    assert small["images"].eq(2).all()
    assert small["frame"].tolist() == [[2.0, 1.0, 1.0, 0.5, 0.5]]
