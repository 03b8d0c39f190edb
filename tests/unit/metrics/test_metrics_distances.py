"""Tests of `metrics.lesions`: surfaces and distances with hand answers."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial.distance import cdist

from glioforge.metrics.lesions import SurfaceDistances, surface_voxels

masks = hnp.arrays(bool, st.tuples(*(st.integers(1, 6),) * 3))


@given(masks)
def test_surface_is_what_erosion_by_the_six_neighbours_removes(mask):
    """The surface of any mask equals the mask without its face-connected erosion, with outside beyond the grid."""
    cross = ndimage.generate_binary_structure(3, 1)
    assert np.array_equal(surface_voxels(mask), mask & ~ndimage.binary_erosion(mask, cross))


def test_the_inner_voxels_of_a_block_are_no_surface():
    """A 5-cube has 125 - 27 surface voxels."""
    mask = np.zeros((7, 7, 7), dtype=bool)
    mask[1:6, 1:6, 1:6] = True
    assert surface_voxels(mask).sum() == 125 - 27


def test_finding_a_surface_leaves_the_mask_alone():
    """The input is not written to."""
    mask = np.ones((3, 3, 3), dtype=bool)
    surface_voxels(mask)
    assert mask.all()


def test_two_single_voxels_lie_apart_by_their_offset_in_millimetres():
    """Spacing 1 x 2 x 5 mm, offset (3, 2, 1) voxels: sqrt(9 + 16 + 25) mm."""
    first, second = np.zeros((2, 5, 5, 5), dtype=bool)
    first[0, 0, 0] = second[3, 2, 1] = True
    found = SurfaceDistances.between(first, second, np.diag([1.0, 2.0, 5.0, 1.0]))
    assert found.from_prediction == pytest.approx([np.sqrt(50)])
    assert found.from_truth == pytest.approx([np.sqrt(50)])


@given(st.integers(0, 2**31), st.tuples(*(st.sampled_from([0.5, 1.0, 3.0]),) * 3))
def test_distances_equal_those_of_all_pairs(seed, spacing):
    """The tree search finds the smallest of all distances between the surfaces, in voxel order."""
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, 5, 4, 6)) < 0.3
    first[0, 0, 0] = second[1, 1, 1] = True
    affine = np.diag([*spacing, 1.0])
    found = SurfaceDistances.between(first, second, affine)
    points = [np.argwhere(surface_voxels(mask)) * np.array(spacing) for mask in (first, second)]
    table = cdist(*points)
    assert np.allclose(found.from_prediction, table.min(axis=1))
    assert np.allclose(found.from_truth, table.min(axis=0))


def test_hd95_takes_the_larger_direction_and_the_pool_keeps_both():
    """Percentiles of each direction apart, and a share within a tolerance over both."""
    found = SurfaceDistances(np.array([0.0, 0.0, 0.0, 4.0]), np.array([0.0, 1.0]))
    assert found.hd95_mm == pytest.approx(np.percentile([0, 0, 0, 4], 95))
    assert found.pooled.tolist() == [0, 0, 0, 4, 0, 1]
    assert found.within(1.0) == pytest.approx(5 / 6)
