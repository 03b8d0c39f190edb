"""Boxes, parts, holes and moments are the same in whichever order voxels lie in memory."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from glioforge.core.geometry import bounding_box
from glioforge.data.preparation.brain import largest_part, without_holes
from glioforge.data.preparation.intensity import moments, spread, within

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6))
VALUES = hnp.arrays(np.float32, st.integers(1, 200), elements=st.floats(-3e4, 3e4, width=32))


def ordered(array, order):
    """The same array, lying otherwise in memory."""
    if order == "view":
        wide = np.zeros(tuple(2 * n for n in array.shape), dtype=array.dtype)
        view = wide[::2, ::2, ::2]
        view[...] = array
        return view
    return np.array(array, order=order)


@pytest.mark.parametrize("order", ["C", "F", "view"])
@given(mask=MASKS)
def test_boxes_parts_and_holes(order, mask):
    """They agree with plain definitions."""
    turned = ordered(mask, order)
    box = bounding_box(turned)
    if not mask.any():
        assert box is None
    else:
        assert box == ndimage.find_objects(mask.astype(np.uint8))[0]
    assert np.array_equal(without_holes(turned), ndimage.binary_fill_holes(mask))
    largest, (parts, _) = largest_part(turned), ndimage.label(mask)
    sizes = np.bincount(parts.ravel())[1:]
    assert np.count_nonzero(largest) == max(sizes, default=0)
    assert not (largest & ~mask).any()


@pytest.mark.parametrize("order", ["C", "F", "view"])
@given(mask=MASKS)
def test_values_within_a_mask_are_put_back(order, mask):
    """`spread` undoes `within`."""
    voxels = ordered(np.arange(1, mask.size + 1, dtype=np.float32).reshape(mask.shape), order)
    mask = ordered(mask, order)
    assert np.array_equal(spread(within(voxels, mask), mask), np.where(mask, voxels, 0))


@given(values=VALUES, seed=st.integers(0, 99))
def test_moments_do_not_depend_on_the_order_of_the_values(values, seed):
    """Shuffled values give the very same numbers, and they are numpy's but for rounding."""
    mean, std = moments(values)
    assert moments(np.random.default_rng(seed).permutation(values)) == (mean, std)
    wide = values.astype(np.float64)
    largest = float(np.abs(wide).max())
    assert mean == pytest.approx(wide.mean(), rel=1e-7, abs=1e-7 * largest)
    assert std == pytest.approx(wide.std(), rel=1e-6, abs=1e-6 * largest)


def test_moments_of_nothing_and_of_many():
    """No values have none; more values than one piece holds add up."""
    assert moments(np.zeros(0, dtype=np.float32)) == (0.0, 0.0)
    many = np.arange(100_000, dtype=np.float32)
    assert moments(many) == (pytest.approx(49999.5), pytest.approx(many.astype(np.float64).std()))
