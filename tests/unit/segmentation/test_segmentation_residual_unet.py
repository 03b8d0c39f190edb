"""Tests of `segmentation.methods.residual_unet`: the published layers, deep supervision, learning."""

import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec, seed_torch, start
from glioforge.core.volume import Modality
from glioforge.losses.dice import dice_and_cross_entropy
from glioforge.metrics.evaluate import evaluate_case
from glioforge.segmentation.base import SEGMENTERS, Task, train_segmenter
from glioforge.segmentation.methods.residual_unet import ResidualUNetSpec
from glioforge.segmentation.target import target_named
from glioforge.training.budget import Budget
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
BOTH = (Modality.T1, Modality.FLAIR)
FOUR = target_named("regions4")


def preset(name, **changes):
    """The spec of a preset."""
    return SEGMENTERS.parse({"kind": "residual_unet", "preset": name, **changes})


def made(spec, target=FOUR):
    """Method, a network with seeded weights, its recipe."""
    seed_torch(1, "test")
    method = SEGMENTERS.part_for(spec)(spec)
    network = method.build(BOTH, target)
    return network, method.recipe(network, Task(BOTH, target, toy_cohort([1]), 10))


def test_the_paper_preset_is_the_recommended_one_of_medium_size():
    """Blocks and widths of the residual encoder M, patches of 128, SGD, deep supervision."""
    spec = preset("paper")
    assert (spec.widths, spec.blocks) == ((32, 64, 128, 256, 320, 320), (1, 3, 4, 6, 6, 6))
    assert (spec.size, spec.batch_size, spec.dims) == ((128, 128, 128), 2, 3)
    optimizer = spec.optimizer
    assert (optimizer.method, optimizer.learning_rate, optimizer.momentum) == ("sgd", 0.01, 0.99)
    assert (optimizer.weight_decay, optimizer.schedule, spec.supervised) == (3e-5, "poly", 5)
    assert preset("sound") == ResidualUNetSpec()
    with torch.device("meta"):
        network = SEGMENTERS.part_for(spec)(spec).build(tuple(Modality)[:4], FOUR)
    assert [len(stage) for stage in network.stages] == [1, 3, 4, 6, 6, 6]
    strided = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv3d) and layer.stride == (2, 2, 2)]
    assert [layer.out_channels for layer in strided] == [64, 128, 256, 320, 320]


@pytest.mark.parametrize("name", ["paper", "sound"])
def test_every_parameter_gets_a_gradient(name):
    """One step changes every tensor of a narrow network, the coarse heads among them."""
    network, recipe = made(preset(name, widths=(4, 8, 8), blocks=(1, 1, 2)))
    before = {key: value.clone() for key, value in network.named_parameters()}
    labels = torch.arange(2 * 8 * 8 * 8).reshape(2, 8, 8, 8) % 4
    scalars = recipe.step({"images": torch.randn(2, 2, 8, 8, 8), "labels": labels}, 0, start(PLAIN))
    assert torch.isfinite(scalars["loss"])
    assert [key for key, value in network.named_parameters() if torch.equal(value, before[key])] == []


def test_coarser_levels_count_half_as_much_as_finer_ones():
    """The loss is the weighted mean of the losses of the levels."""
    _, recipe = made(preset("sound", widths=(4, 8, 8, 8), blocks=(1, 1, 1, 1), supervised=3))
    logits, labels = torch.randn(1, 12, 4, 4, 4), torch.randint(0, 4, (1, 4, 4, 4))
    parts = [float(dice_and_cross_entropy(level, labels)) for level in logits.split(4, dim=1)]
    expected = (parts[0] + parts[1] / 2 + parts[2] / 4) / 1.75
    assert float(recipe._loss(logits, {"labels": labels})) == pytest.approx(expected, rel=1e-5)


def test_it_learns_one_case_by_heart(tmp_path):
    """From patches smaller than the head, asked in windows: every piece of the way for volumes is in place."""
    changes = {"widths": (8, 16, 32), "blocks": (1, 1, 1), "size": (12, 12, 12), "augment": None, "ema": None}
    spec = preset("sound", **changes, overlap=0.25, optimizer={"learning_rate": 1e-2, "schedule": "poly"})
    case = toy_case(1)
    segmenter = train_segmenter(
        cohort_of_cases([case], "one"),
        toy_cohort([2], "validation"),
        spec,
        tmp_path,
        seed=1,
        budget=Budget(steps=50, validate_every=50),
        accelerator=PLAIN,
    )
    rows = evaluate_case(segmenter.segment(case), case.require_labels(), metrics=("dice",))
    assert min(row.value for row in rows) > 0.85
