"""Tests of `segmentation.methods.region_unets`: the paper's layers and inputs, regions inside regions, learning."""

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from glioforge.compute.accelerator import AcceleratorSpec, seed_torch, start
from glioforge.core.errors import SpecError
from glioforge.core.volume import Modality
from glioforge.metrics.evaluate import evaluate_case
from glioforge.segmentation.base import SEGMENTERS, Task, train_segmenter
from glioforge.segmentation.methods.region_unets import RegionUNetsSpec
from glioforge.segmentation.target import target_named
from glioforge.training.budget import Budget
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
FOUR = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)
NESTED = target_named("nested")


def preset(name, **changes):
    """The spec of a preset."""
    return SEGMENTERS.parse({"kind": "region_unets", "preset": name, **changes})


def network_of(spec, modalities=FOUR):
    """A network of the spec with seeded weights."""
    seed_torch(1, "test")
    return SEGMENTERS.part_for(spec)(spec).build(modalities, NESTED)


def test_the_paper_preset_has_three_unets_of_four_scaling_levels():
    """Features doubling from 64 to 1024, batch norm after every convolution, one output each."""
    with torch.device("meta"):
        network = network_of(preset("paper"))
    assert len(network.networks) == 3
    for unet, inputs in zip(network.networks, (3, 4, 4), strict=True):
        widths = [(stage[0][0].in_channels, stage[-1][0].out_channels) for stage in (*unet.down, unet.bridge)]
        assert widths == [(inputs, 64), *itertools.pairwise((64, 128, 256, 512, 1024))]
        assert (unet.multiple, unet.head.out_channels) == (16, 1)
        kinds = [type(layer).__name__ for layer in unet.modules()]
        assert kinds.count("BatchNorm2d") == kinds.count("Conv2d") - 1 + kinds.count("ConvTranspose2d") == 22


def test_the_paper_preset_trains_as_the_paper_says():
    """T1, T2 and FLAIR, squared Dice, flips and no other augmentation."""
    spec = preset("paper")
    assert spec.inputs == (Modality.T1, Modality.T2, Modality.FLAIR)
    assert spec.loss == "squared_dice"
    chances = {name: change["chance"] for name, change in spec.augment.model_dump().items() if isinstance(change, dict)}
    assert len(chances) == 11
    assert set(chances.values()) == {0.0}
    assert (spec.augment.flip_x, spec.augment.flip_y, spec.difference) == (0.5, 0.0, "core")
    assert preset("sound") == RegionUNetsSpec()


@pytest.mark.parametrize(("difference", "moved"), [("none", []), ("core", [1, 2]), ("all", [0, 1, 2])])
def test_the_difference_is_seen_by_the_networks_that_it_is_meant_for(difference, moved):
    """With T1, T2 and FLAIR fixed, T1CE reaches a network by its difference to T1 alone."""
    spec = preset("sound", widths=(4, 8), inputs=("t1", "t2", "flair"), difference=difference)
    network = network_of(spec).eval()
    x = torch.randn(1, 4, 8, 8)
    changed = x.clone()
    changed[:, 1] += torch.randn(1, 8, 8)
    both = x.clone()
    both[:, :2] += torch.randn(1, 1, 8, 8)
    with torch.no_grad():
        before, after = network(x)[0], network(changed)[0]
        assert [n for n in range(3) if not torch.allclose(before[n], after[n])] == moved
        assert not torch.allclose(network(both)[0, 0], before[0])


def test_a_contrast_that_is_needed_must_be_there():
    """For the input or for the difference; the message says what to change."""
    two = (Modality.T1, Modality.FLAIR)
    with pytest.raises(SpecError, match=r"expected also \['t1ce'\]; name other `inputs`, or set `difference: none`"):
        network_of(preset("sound"), two)
    with pytest.raises(SpecError, match=r"expected also \['t2'\]"):
        network_of(preset("sound", inputs=("t1", "t2"), difference="none"), two)
    assert network_of(preset("sound", widths=(4, 8), difference="none"), two)


def test_the_target_is_always_nested():
    """There is a network for each region."""
    with pytest.raises(ValidationError, match="target 'complete'; expected 'nested'"):
        RegionUNetsSpec(target="complete")


@pytest.mark.parametrize("name", ["paper", "sound"])
@pytest.mark.parametrize("dims", [2, 3])
def test_every_parameter_gets_a_gradient(name, dims):
    """One step changes every tensor of narrow networks."""
    spec = preset(name, widths=(4, 8), dims=dims)
    network = network_of(spec)
    recipe = SEGMENTERS.part_for(spec)(spec).recipe(network, Task(FOUR, NESTED, toy_cohort([1]), 10))
    before = {key: value.clone() for key, value in network.named_parameters()}
    grid = (12, 16, 4)[:dims]
    labels = torch.arange(2 * np.prod(grid)).reshape(2, *grid) % 4
    scalars = recipe.step({"images": torch.randn(2, 4, *grid), "labels": labels}, 0, start(PLAIN))
    assert torch.isfinite(scalars["loss"])
    assert [key for key, value in network.named_parameters() if torch.equal(value, before[key])] == []


def test_it_learns_one_case_by_heart(tmp_path):
    """Given one case alone it finds its regions, one inside the other."""
    changes = {"widths": (6, 12, 24), "augment": None, "ema": None, "difference": "none"}
    case = toy_case(1)
    segmenter = train_segmenter(
        cohort_of_cases([case], "one"),
        toy_cohort([2], "validation"),
        preset("sound", **changes, optimizer={"learning_rate": 1e-2, "schedule": "poly"}),
        tmp_path,
        seed=1,
        budget=Budget(steps=40, validate_every=40),
        accelerator=PLAIN,
    )
    labels = segmenter.segment(case)
    rows = evaluate_case(labels, case.require_labels(), metrics=("dice",))
    assert min(row.value for row in rows) > 0.85
    assert not (segmenter.probabilities(case)[0] < 0.5)[labels.voxels > 0].any()
