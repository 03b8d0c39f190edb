"""Tests of `segmentation.objective` and `segmentation.methods.unet`."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glioforge.core.errors import SpecError
from glioforge.core.volume import Modality
from glioforge.losses.dice import dice_and_cross_entropy
from glioforge.segmentation.method import Task
from glioforge.segmentation.methods.unet import InputScale
from glioforge.segmentation.objective import inverse_shares, objective
from glioforge.segmentation.target import class_shares, target_named
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_labels

BOTH = (Modality.T1, Modality.FLAIR)


def task(target="regions4"):
    """A task on toys."""
    return Task(BOTH, target_named(target), toy_cohort([1]), 10)


def truth(target):
    """Classes of a toy as a batch, and logits that say them."""
    target = target_named(target)
    labels = toy_case(1).require_labels()
    classes = torch.from_numpy(target.classes_from(labels.scheme)[labels.voxels])[None]
    masks = torch.from_numpy(target.members())[:, classes].movedim(0, 1).float()
    return classes, 60 * masks - 30


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("dice_and_cross_entropy", "regions4"),
        ("dice_and_cross_entropy", "complete"),
        ("dice_and_cross_entropy", "nested"),
        ("weighted_dice", "tumour"),
        ("generalised_dice", "guo2020"),
        ("squared_dice", "nested"),
    ],
)
def test_the_truth_costs_least(name, target):
    """Every loss of every kind of target has its minimum where the logits say the classes."""
    classes, logits = truth(target)
    loss = objective(name, task(target))
    right = float(loss(logits, {"labels": classes}))
    assert right == pytest.approx(0, abs=2e-3)
    assert float(loss(-logits, {"labels": classes})) > 0.5


@pytest.mark.parametrize(("name", "target"), [("squared_dice", "regions4"), ("weighted_dice", "nested")])
def test_a_loss_for_another_kind_of_target_is_refused(name, target):
    """With the one that suits all."""
    with pytest.raises(SpecError, match=f"loss '{name}' for .*; expected `dice_and_cross_entropy`"):
        objective(name, task(target))


def test_the_usual_loss_is_dice_plus_cross_entropy():
    """Of logits and classes."""
    classes, logits = truth("regions4")
    blurred = logits / 20
    expected = float(dice_and_cross_entropy(blurred, classes))
    assert float(objective("dice_and_cross_entropy", task())(blurred, {"labels": classes})) == expected


def test_weights_are_inverse_to_shares_with_mean_one():
    """From the real training cases."""
    weights, shares = inverse_shares(task()), class_shares([toy_cohort([1])], target_named("regions4"))
    assert np.mean(weights) == pytest.approx(1)
    assert np.ptp(np.array(weights) * shares) == pytest.approx(0, abs=1e-9)


def test_weights_may_come_from_the_mixture_as_the_paper_takes_them():
    """Real cases alone unless asked for; a class without a voxel weighs least, and nothing is NaN."""
    case = toy_case(2)
    grown = cohort_of_cases([with_labels(case, np.where(case.labels.voxels > 0, 3, 0))], "made")
    mixed = replace(task(), used=(toy_cohort([1]), grown))
    alone = replace(task(), real=grown, used=())

    assert inverse_shares(mixed) == inverse_shares(task())
    assert inverse_shares(mixed, "mixture")[3] < inverse_shares(task(), "mixture")[3]
    assert np.argmin(inverse_shares(alone)) in (1, 2)
    assert np.isfinite(inverse_shares(alone)).all()


def test_the_input_is_divided_by_the_largest_value_and_centred():
    """Over all contrasts and voxels of the training cases, and kept among the weights."""
    cohort = toy_cohort([1, 2])
    scale = InputScale()
    x = torch.randn(1, 2, 3, 3)
    assert torch.equal(scale(x), x)
    scale.fit([cohort], BOTH)
    images = np.stack([ref.load().stack(BOTH) for ref in cohort])
    found = scale(torch.from_numpy(images))
    assert float(scale.largest) == pytest.approx(images.max(), abs=1e-3)
    assert float(found.mean()) == pytest.approx(0, abs=1e-5)
    assert float(found.max() - found.min()) == pytest.approx(np.ptp(images) / images.max(), abs=1e-4)
    assert set(scale.state_dict()) == {"largest", "mean"}


def test_scaling_of_empty_images_does_nothing():
    """Division by 0 is avoided."""
    scale = InputScale()
    scale.fit([toy_cohort([])], BOTH)
    assert (float(scale.largest), float(scale.mean)) == (1.0, 0.0)
