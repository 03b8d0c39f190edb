"""Promises of pix2pix as a segmenter."""

import pytest
import torch

from glioforge.core.volume import Modality
from glioforge.nn.blocks import InstanceNorm
from glioforge.segmentation.base import Task
from glioforge.segmentation.methods.pix2pix import Pix2PixSegmenter, Pix2PixSpec
from glioforge.segmentation.target import target_named
from toy_cohort import toy_cohort
from toy_training import fabric

MODALITIES = (Modality.T1, Modality.FLAIR)


def played(spec, *, target="regions4", grid=(16, 16), labels=None, steps=1):
    """A generator after some steps on one batch of bright squares, with its losses and the batch."""
    torch.manual_seed(1)
    method, goal = Pix2PixSegmenter(spec), target_named(target)
    network = method.build(MODALITIES, goal)
    recipe = method.recipe(network, Task(MODALITIES, goal, toy_cohort([1]), steps))
    truth = torch.zeros(2, *grid, dtype=torch.long)
    truth[(slice(None), *[slice(3, 13)] * len(grid))] = 2
    truth[(slice(None), *[slice(5, 11)] * len(grid))] = 3
    values = torch.tensor([[0.0, 0, 1, 2], [0, 0, 2, 1]])
    batch = {
        "images": values[:, truth].movedim(0, 1).contiguous(),
        "labels": truth,
        "brain": torch.ones_like(truth, dtype=torch.bool),
    }
    losses = [recipe.step(batch, step, fabric()) for step in range(steps)]
    return recipe, losses, batch


def small(**changes):
    """Tiny networks."""
    return Pix2PixSpec(**{"ngf": 4, "levels": 2, "critic_width": 4, "critic_layers": 2, **changes})


@pytest.mark.parametrize("target", ["regions4", "nested", "tumour"])
def test_every_parameter_of_both_players_learns(target):
    """For classes and for nested regions."""
    reached = set()
    spec = small()
    method, goal = Pix2PixSegmenter(spec), target_named(target)
    network = method.build(MODALITIES, goal)
    recipe = method.recipe(network, Task(MODALITIES, goal, toy_cohort([1]), 1))
    players = {name: recipe.networks[name] for name in ("generator", "critic")}
    for name, player in players.items():
        for key, parameter in player.named_parameters():
            parameter.register_post_accumulate_grad_hook(lambda _, at=(name, key): reached.add(at))
    labels = torch.randint(len(goal.classes), (2, 16, 16))
    batch = {"images": torch.randn(2, 2, 16, 16), "labels": labels, "brain": labels >= 0}
    assert set(recipe.step(batch, 0, fabric())) >= {"critic", "adversarial", "supervised"}
    assert reached == {(name, key) for name, player in players.items() for key, _ in player.named_parameters()}


@pytest.mark.parametrize(("dims", "grid"), [(2, (16, 16)), (3, (16, 16, 16))])
def test_one_batch_is_learnt_by_heart(dims, grid):
    """The averaged generator labels nearly every voxel right."""
    recipe, losses, batch = played(small(dims=dims, ngf=12 if dims == 2 else 4), grid=grid, steps=60)
    with torch.no_grad():
        found = recipe.inference_network().eval()(batch["images"]).argmax(dim=1)
    assert float(losses[-1]["supervised"]) < 0.5 * float(losses[0]["supervised"])
    assert float((found == batch["labels"]).float().mean()) > 0.9


def test_the_paper_plays_for_l1_on_one_hot_labels():
    """No supervised loss; a perfect answer has no L1."""
    paper = {**Pix2PixSpec.PRESETS["paper"], "ngf": 4, "levels": 2, "critic_width": 4, "size": (16, 16, 16)}
    recipe, losses, _ = played(Pix2PixSpec.model_validate(paper), grid=(16, 16, 16))
    assert set(losses[0]) >= {"critic", "adversarial", "l1"}
    assert "supervised" not in losses[0]
    assert float(losses[0]["l1"]) > 10
    assert set(recipe.networks) == {"generator", "critic"}


def test_the_paper_plays_the_game_of_isola():
    """Critic with learned norm and padding 1; L1 over the whole patch, of the strength of images in -1 to 1."""
    spec = Pix2PixSpec.model_validate({**Pix2PixSpec.PRESETS["paper"], "ngf": 4, "levels": 2, "size": (16, 16, 16)})
    recipe, losses, _ = played(spec, grid=(16, 16, 16))
    critic = recipe.networks["critic"].critics[0]
    norms = [layer for layer in critic.modules() if isinstance(layer, InstanceNorm)]
    _, halved, _ = played(
        spec.model_copy(update={"losses": spec.losses.model_copy(update={"l1": 100.0})}), grid=(16,) * 3
    )

    assert {layer.padding for layer in critic.modules() if isinstance(layer, torch.nn.Conv3d)} == {(1, 1, 1)}
    assert len(norms) == 3
    assert all(list(layer.parameters()) for layer in norms)
    assert float(losses[0]["l1"]) == pytest.approx(2 * float(halved[0]["l1"]), rel=1e-3)
    assert (spec.losses.l1, spec.losses.l1_over, spec.lesion_share) == (200.0, "image", 0.0)


def test_the_critic_sees_scans_and_labels():
    """Its first layer has a channel for each contrast and each class."""
    recipe, *_ = played(small(), target="nested")
    assert next(recipe.networks["critic"].parameters()).shape[1] == len(MODALITIES) + 3
