"""Tests of `metrics.overlap`: analytic shapes."""

import numpy as np
import pytest

from glioforge.core.geometry import Geometry
from glioforge.metrics import overlap as surface
from glioforge.metrics.base import MaskPair


def slabs(first, second, spacing=(1.0, 1.0, 1.0)):
    """Two slabs one voxel thick across i, at places `first` and `second`."""
    ours, theirs = np.zeros((2, 12, 6, 6), dtype=bool)
    ours[first], theirs[second] = True, True
    return MaskPair(ours, theirs, Geometry(ours.shape, np.diag([*spacing, 1.0])))


@pytest.mark.parametrize("spacing_mm", [0.5, 1.0, 3.0])
def test_parallel_slabs_lie_apart_by_their_gap(spacing_mm):
    """Every distance between two parallel planes is the gap in millimetres."""
    pair = slabs(2, 5, (spacing_mm, 1.0, 1.0))
    for metric in (surface.hd95, surface.hd95_pooled, surface.hausdorff, surface.average_surface_distance):
        assert metric(pair) == pytest.approx(3 * spacing_mm)


@pytest.mark.parametrize(("gap", "one", "two"), [(1, 1.0, 1.0), (2, 0.0, 1.0), (3, 0.0, 0.0)])
def test_a_gap_counts_up_to_and_with_the_tolerance(gap, one, two):
    """NSD at 1 and 2 mm of planes 1, 2 and 3 mm apart."""
    assert surface.nsd_1mm(slabs(2, 2 + gap)) == one
    assert surface.nsd_2mm(slabs(2, 2 + gap)) == two


def test_equal_masks_are_at_distance_zero():
    """And wholly within any tolerance."""
    pair = slabs(4, 4)
    assert surface.hd95(pair) == surface.hausdorff(pair) == surface.average_surface_distance(pair) == 0
    assert surface.nsd_1mm(pair) == 1


def test_concentric_balls_lie_apart_by_the_difference_of_their_radii():
    """Radii 12 and 8 voxels of 1 mm: every surface distance is 4 mm up to the voxels' size."""
    axes = np.ogrid[-15:16, -15:16, -15:16]
    radius = np.sqrt(sum(a**2 for a in axes))
    pair = MaskPair(radius <= 12, radius <= 8, Geometry.isotropic((31, 31, 31)))
    for metric in (surface.hd95, surface.hausdorff, surface.average_surface_distance):
        assert metric(pair) == pytest.approx(4, abs=0.75)


def test_one_stray_voxel_decides_hausdorff_but_not_hd95():
    """The reason for the 95th percentile."""
    ours, theirs = np.zeros((2, 20, 8, 8), dtype=bool)
    ours[2:8, 1:7, 1:7] = theirs[2:8, 1:7, 1:7] = True
    ours[19, 4, 4] = True
    pair = MaskPair(ours, theirs, Geometry.isotropic(ours.shape))
    assert surface.hausdorff(pair) == pytest.approx(12)
    assert surface.hd95(pair) == 0


def test_the_pooled_percentile_is_smaller_where_one_direction_is_far():
    """The two definitions are two numbers, which is why they have two names."""
    ours, theirs = np.zeros((2, 20, 8, 8), dtype=bool)
    theirs[2:8, 1:7, 1:7] = True
    ours[2:8, 1:7, 1:7] = True
    theirs[14:15, 3:6, 3:6] = True
    pair = MaskPair(ours, theirs, Geometry.isotropic(ours.shape))
    assert surface.hd95_pooled(pair) < surface.hd95(pair)
