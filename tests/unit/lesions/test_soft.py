"""Soft borders: memberships that sum to one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glioforge.core.errors import EditError
from glioforge.lesions.soft import soft_labels
from toy_brain import toy_brain

BRAIN = toy_brain((6.0, 6.0, 6.0))


@given(sigma=st.floats(0, 12))
@settings(max_examples=10)
def test_memberships_sum_to_one(sigma):
    """In every voxel, and background stays background."""
    soft = soft_labels(BRAIN, sigma)

    assert soft.shape == (7, *BRAIN.voxels.shape)
    assert np.allclose(soft.sum(axis=0), 1, atol=1e-5)
    assert soft.min() >= 0
    assert np.array_equal(soft[0] == 1, BRAIN.voxels == 0)


def test_no_width_gives_the_labels():
    """One class a voxel."""
    soft = soft_labels(BRAIN, 0.0)

    assert np.array_equal(soft.argmax(axis=0), BRAIN.voxels)
    assert set(np.unique(soft)) == {0.0, 1.0}


def test_borders_become_soft_and_the_inside_stays():
    """At a border two classes share a voxel; deep inside one keeps it."""
    soft = soft_labels(BRAIN, 6.0)

    assert ((soft[4] > 0.2) & (soft[5] > 0.2)).any()
    assert soft[4].max() > 0.95


def test_a_map_without_brain_stays_background():
    """Nothing to soften."""
    empty = BRAIN.with_voxels(np.zeros_like(BRAIN.voxels))

    assert (soft_labels(empty, 3.0)[0] == 1).all()


def test_impossible_widths_are_refused():
    """Negative, or not a number."""
    for sigma in (-1.0, float("nan")):
        with pytest.raises(EditError, match="soft borders of"):
            soft_labels(BRAIN, sigma)
