"""Tests of `segmentation.predict` and `segmentation.validate` with networks whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from glioforge.core.modality import Modality
from glioforge.core.schemes import BRATS2023
from glioforge.segmentation.predict import Inference, predict
from glioforge.segmentation.target import target_named
from glioforge.segmentation.validate import Validation, brain_of
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

BOTH = (Modality.T1, Modality.FLAIR)
FOUR = target_named("regions4")


def predict_labels(network, images, brain, **how):
    """Labels of an axial network."""
    found = predict([("axial", network)], images, brain, Inference(FOUR, **how))
    return FOUR.decode(found, brain)


class Rounds(nn.Module):
    """Reads the class off the first contrast, rounded; counts its calls."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(20.0))
        self.slices = 0

    def forward(self, x):
        """Highest logit for the class nearest to the intensity."""
        self.slices += len(x)
        return -self.weight * (x[:, :1] - torch.arange(4.0).reshape(1, 4, 1, 1)) ** 2


class LooksLeft(nn.Module):
    """Finds oedema wherever the neighbour on one side is bright: not symmetric."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        """Class 2 where the voxel before, along x, is 1."""
        before = torch.roll(x[:, :1], 1, 2)
        return torch.cat([1 - before, -5 + 0 * before, before * self.weight, -5 + 0 * before], dim=1)


def volume(shape=(9, 8, 20)):
    """Random classes as intensities, and a brain that leaves the first and last slices out."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, shape)
    brain = np.ones(shape, dtype=bool)
    brain[..., :2] = brain[..., -1:] = False
    brain[0] = False
    return classes, brain


def test_every_slice_with_brain_is_labelled_in_its_place():
    """Labels equal the classes that the intensities spell, and background outside the brain."""
    classes, brain = volume()
    labels = predict_labels(Rounds(), classes[None].astype(np.float32), brain)
    assert np.array_equal(labels, np.where(brain, classes, 0))
    assert labels.dtype == np.uint8


def test_slices_without_brain_are_not_run():
    """17 of 20 slices show brain."""
    classes, brain = volume()
    network = Rounds()
    predict_labels(network, classes[None].astype(np.float32), brain)
    assert network.slices == 17


def test_no_brain_gives_background():
    """An empty mask needs no network."""
    network = Rounds()
    labels = predict_labels(network, np.ones((1, 4, 4, 3), dtype=np.float32), np.zeros((4, 4, 3), dtype=bool))
    assert not labels.any()
    assert network.slices == 0


def test_flips_make_the_answer_symmetric():
    """With test-time flips a mirrored head gets the mirrored labels from any network."""
    classes, brain = volume()
    images = (classes[None] > 1).astype(np.float32)
    brain[:] = True
    plain, mirrored = (predict_labels(LooksLeft(), x, brain) for x in (images, images[:, ::-1].copy()))
    assert not np.array_equal(plain, mirrored[::-1])
    plain, mirrored = (predict_labels(LooksLeft(), x, brain, flips=(0,)) for x in (images, images[:, ::-1].copy()))
    assert np.array_equal(plain, mirrored[::-1])


def test_prediction_neither_trains_nor_keeps_gradients():
    """The network is left in evaluation mode without gradients."""
    classes, brain = volume()
    network = Rounds().train()
    predict_labels(network, classes[None].astype(np.float32), brain)
    assert not network.training
    assert network.weight.grad is None


def test_a_network_that_knows_the_truth_scores_one():
    """Mean Dice over regions and cases."""
    cases = []
    for seed in (1, 2):
        case = toy_case(seed)
        classes = case.require_labels().to(BRATS2023).voxels.astype(np.float32)
        images = {m: replace(v, voxels=classes) for m, v in case.images.items()}
        cases.append(replace(case, images=images))
    validation = Validation(cohort_of_cases(cases), BOTH, Inference(FOUR))
    assert validation(Rounds()) == pytest.approx(1)


def test_a_network_that_finds_nothing_scores_zero():
    """Every region of every toy is missed."""
    blind = Rounds()
    with torch.no_grad():
        blind.weight.fill_(0.0)
    assert Validation(toy_cohort([1, 2]), BOTH, Inference(FOUR))(blind) == 0


def test_the_brain_is_the_mask_or_what_is_not_zero():
    """Prepared images are 0 outside the brain."""
    case = toy_case(1)
    assert brain_of(case) is case.brain
    assert np.array_equal(brain_of(replace(case, brain=None)), case.brain)
