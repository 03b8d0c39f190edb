"""Boxes around masks, wherever they are."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.geometry import bounding_box


@given(
    seed=st.integers(0, 1000), share=st.floats(0, 0.2), margin=st.tuples(*[st.integers(0, 3)] * 3) | st.integers(0, 3)
)
def test_a_box_is_the_smallest_with_its_margin(seed, share, margin):
    """It holds every voxel, touches one on each side, and stays within the grid; nothing has no box."""
    mask = np.random.default_rng(seed).random((4, 6, 5)) < share
    box = bounding_box(mask, margin)
    wider = (margin,) * 3 if isinstance(margin, int) else margin
    places = np.argwhere(mask)
    if box is None:
        assert not mask.any()
        return
    for axis, side in enumerate(box):
        low, high = places[:, axis].min(), places[:, axis].max()
        assert (side.start, side.stop) == (max(low - wider[axis], 0), min(high + 1 + wider[axis], mask.shape[axis]))


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1)])
def test_a_full_mask_is_its_own_box(shape):
    """All of the grid."""
    assert np.ones(shape, dtype=bool)[bounding_box(np.ones(shape, dtype=bool))].shape == shape
