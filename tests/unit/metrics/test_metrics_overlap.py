"""Tests of `metrics.overlap`: identities and hand answers."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import CaseError
from glioforge.core.geometry import Geometry
from glioforge.metrics import overlap
from glioforge.metrics.base import MaskPair

GRID = Geometry((4, 5, 6), np.diag([2.0, 2.0, 2.5, 1.0]))


def pair_of(prediction, truth, brain=None):
    """Pair of masks given by how many leading voxels of the flattened grid are set, from a start."""
    ours, theirs = np.zeros((2, 120), dtype=bool)
    ours[slice(*prediction)] = True
    theirs[slice(*truth)] = True
    return MaskPair(ours.reshape(4, 5, 6), theirs.reshape(4, 5, 6), GRID, brain)


def test_hand_answers():
    """Prediction of 30, truth of 40, 20 in both."""
    pair = pair_of((10, 40), (20, 60))
    assert overlap.dice(pair) == pytest.approx(40 / 70)
    assert overlap.jaccard(pair) == pytest.approx(20 / 50)
    assert overlap.sensitivity(pair) == pytest.approx(20 / 40)
    assert overlap.precision(pair) == pytest.approx(20 / 30)
    assert overlap.volume_difference(pair) == pytest.approx(-10 * 0.01)
    assert overlap.volume_error(pair) == pytest.approx(0.1)


@given(st.integers(0, 2**31))
def test_dice_is_the_harmonic_mean_of_sensitivity_and_precision(seed):
    """And Jaccard is Dice / (2 - Dice)."""
    rng = np.random.default_rng(seed)
    ours, theirs = rng.random((2, 4, 5, 6)) < 0.5
    ours[0, 0, 0] = theirs[0, 0, 0] = True
    pair = MaskPair(ours, theirs, GRID)
    found, true = overlap.sensitivity(pair), overlap.precision(pair)
    assert overlap.dice(pair) == pytest.approx(2 * found * true / (found + true))
    assert overlap.jaccard(pair) == pytest.approx(overlap.dice(pair) / (2 - overlap.dice(pair)))


def test_specificity_counts_the_brain_alone():
    """Brain of 80, truth of 40 in it, 10 false voxels in it and 5 outside: 1 - 10 / 40."""
    brain = (np.arange(120) < 80).reshape(4, 5, 6)
    truth, prediction = np.zeros((2, 120), dtype=bool)
    truth[:40] = True
    prediction[35:50] = True
    prediction[100:105] = True
    pair = MaskPair(prediction.reshape(4, 5, 6), truth.reshape(4, 5, 6), GRID, brain)
    assert overlap.specificity(pair) == pytest.approx(1 - 10 / 40)
    assert overlap.specificity(pair.cut()) == pytest.approx(1 - 10 / 40)


def test_specificity_without_negatives_is_perfect():
    """A tumour that fills the brain leaves nothing to leave alone."""
    brain = (np.arange(120) < 40).reshape(4, 5, 6)
    assert overlap.specificity(pair_of((0, 10), (0, 40), brain)) == 1


def test_specificity_asks_for_a_brain():
    """Over the whole image it would be about 1 whatever the prediction."""
    with pytest.raises(CaseError, match="no brain mask"):
        overlap.specificity(pair_of((0, 10), (0, 40)))
