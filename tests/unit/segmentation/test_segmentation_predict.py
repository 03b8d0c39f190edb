"""Tests of `segmentation.predict` and `segmentation.network` with networks whose answers are known."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn

from glioforge.core.schemes import BRATS2023
from glioforge.core.volume import Modality
from glioforge.segmentation.network import Validation
from glioforge.segmentation.predict import Inference, over_windows, predict, starts
from glioforge.segmentation.target import VIEWS, target_named
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
    assert case.brain_mask is case.brain
    assert np.array_equal(replace(case, brain=None).brain_mask, case.brain)


class Cube(nn.Module):
    """For volumes: class 3 where the mean of the 3 x 3 x 3 voxels around is above 1/2; counts its calls."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(9.0))
        self.calls = 0

    def forward(self, x):
        """Logits on the grid of the input."""
        self.calls += 1
        near = nn.functional.avg_pool3d(x[:, :1], 3, stride=1, padding=1)
        return torch.cat([0 * near, 0 * near, 0 * near, self.weight * (near - 0.5)], dim=1)


def ball(shape=(18, 15, 13)):
    """A bright ball within a head that leaves a rim, and the rest of the head dark."""
    i, j, k = np.indices(shape)
    images = (((i - 10) ** 2 + (j - 7) ** 2 + (k - 6) ** 2) < 16).astype(np.float32)[None]
    brain = np.zeros(shape, dtype=bool)
    brain[2:-2, 1:-1, 1:-1] = True
    return images, brain


@pytest.mark.parametrize("view", VIEWS)
def test_windows_give_what_the_whole_volume_gives(view):
    """A network that sees little around a voxel does not mind being shown windows, from any side."""
    images, brain = ball()
    whole = predict([(view, Cube())], images, brain, Inference(FOUR, dims=3))
    windows = predict([(view, Cube())], images, brain, Inference(FOUR, dims=3, window=(8, 9, 10)))
    assert np.array_equal(FOUR.decode(whole, brain), FOUR.decode(windows, brain))
    assert np.allclose(whole[:, brain].sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(whole[:, ~brain], np.array([[1.0], [0], [0], [0]]).repeat((~brain).sum(), axis=1))


def test_a_window_larger_than_the_brain_is_filled_up():
    """The box of the brain is padded to the window and cut again."""
    images, brain = ball()
    network = Cube()
    found = predict([("axial", network)], images, brain, Inference(FOUR, dims=3, window=(32, 32, 32)))
    assert network.calls == 1
    whole = predict([("axial", Cube())], images, brain, Inference(FOUR, dims=3))
    assert np.allclose(found, whole, atol=1e-5)


def test_windows_overlap_as_told():
    """More overlap, more windows."""
    images, brain = ball()
    calls = []
    for overlap in (0.0, 0.5, 0.75):
        network = Cube()
        predict([("axial", network)], images, brain, Inference(FOUR, dims=3, window=(8, 8, 8), overlap=overlap))
        calls.append(network.calls)
    assert calls[0] < calls[1] < calls[2]


def test_windows_are_blended_by_gaussians_in_their_middles():
    """By hand along one axis: two windows, one that says 0 and one that says 1, weighed by their bells."""
    answers = iter((0.0, 1.0))
    volume = torch.zeros(1, 1, 12, 8, 8)
    found = over_windows(lambda window: torch.full_like(window, next(answers)), volume, (8, 8, 8), 0.5)
    bell = np.exp(-0.5 * ((np.arange(8) - 3.5) / 1.0) ** 2)
    expected = bell[:4] / (bell[:4] + bell[4:])

    assert torch.equal(found[0, 0, :4], torch.zeros(4, 8, 8))
    assert torch.equal(found[0, 0, 8:], torch.ones(4, 8, 8))
    assert np.allclose(found[0, 0, 4:8, 3, 3], expected, atol=1e-5)


@given(st.integers(1, 40), st.integers(1, 12), st.floats(0, 0.9))
def test_windows_cover_an_axis_and_overlap_at_least_as_told(extent, width, overlap):
    """From the first voxel to the last, none beyond, as far apart as the overlap allows."""
    first = starts(extent, width, overlap)

    assert first[0] == 0
    assert first[-1] == max(0, extent - width)
    assert all(0 < b - a <= max(1, int(width * (1 - overlap))) for a, b in pairwise(first))


def test_a_volume_without_brain_is_background():
    """No network is asked."""
    network = Cube()
    found = predict(
        [("axial", network)], np.ones((1, 4, 4, 4), np.float32), np.zeros((4, 4, 4), bool), Inference(FOUR, 3)
    )
    assert network.calls == 0
    assert found[0].all()
    assert not found[1:].any()


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1), (0, 1, 2)])
@pytest.mark.parametrize("view", VIEWS)
def test_flips_make_any_network_blind_to_mirroring(view, axes):
    """A head mirrored along any of the axes gets the mirrored probabilities, be it cut any way."""
    classes, brain = volume()
    images = (classes[None] > 1).astype(np.float32)
    brain[:] = True
    how = Inference(FOUR, flips=axes)
    plain = predict([(view, LooksLeft())], images, brain, how)
    for axis in axes:
        mirrored = predict([(view, LooksLeft())], np.flip(images, axis + 1).copy(), brain, how)
        assert np.allclose(np.flip(mirrored, axis + 1), plain, atol=1e-6)


def test_a_network_for_slices_is_not_asked_twice_along_the_axis_that_is_cut():
    """Mirroring along it changes the order of the slices only."""
    classes, brain = volume()
    network = Rounds()
    predict_labels(network, classes[None].astype(np.float32), brain, flips=(0, 2))
    assert network.slices == 2 * 17


def test_probabilities_of_views_are_averaged():
    """The mean of what each network says alone."""
    classes, brain = volume()
    images = (classes[None] > 1).astype(np.float32)
    networks = [("axial", LooksLeft()), ("sagittal", LooksLeft()), ("coronal", Rounds())]
    alone = [predict([network], images, brain, Inference(FOUR)) for network in networks]
    together = predict(networks, images, brain, Inference(FOUR))
    assert np.allclose(together, np.mean(alone, axis=0), atol=1e-6)
    assert not np.allclose(alone[0], alone[1])


def test_nested_regions_have_no_background():
    """Outside the brain every region has probability 0."""
    classes, brain = volume()
    target = target_named("nested")

    class Three(nn.Module):
        """A logit for each region."""

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(5.0))

        def forward(self, x):
            """The same sure yes everywhere."""
            return self.weight * torch.ones_like(x).repeat(1, 3, 1, 1)

    found = predict([("axial", Three())], classes[None].astype(np.float32), brain, Inference(target))
    assert not found[:, ~brain].any()
    assert (found[:, brain] > 0.99).all()
