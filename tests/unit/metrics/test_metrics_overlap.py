"""Tests of `metrics.overlap`: identities, hand answers, analytic shapes, and false alarms."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import CaseError
from glioforge.core.geometry import Geometry
from glioforge.metrics import overlap, overlap as surface
from glioforge.metrics.base import MaskPair
from glioforge.metrics.evaluate import METRICS, judge
from glioforge.metrics.overlap import false_volume, far_volume
from glioforge.metrics.register import metric_named

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


WIDE_GRID = Geometry((30, 10, 10), np.diag([2.0, 1.0, 1.0, 1.0]))


def masks(*predicted):
    """A true cube from 0 to 4 mm along the first axis, and predicted slabs that begin at these voxels."""
    truth, prediction = np.zeros((2, *WIDE_GRID.shape), dtype=bool)
    truth[:2, 2:8, 2:8] = True
    for start in predicted:
        prediction[start : start + 2, 2:8, 2:8] = True
    return prediction, truth


def test_only_what_lies_beyond_ten_millimetres_is_far():
    """Voxel 6 is exactly 10 mm from the last true one and near; voxel 7 is 12 mm from it and far."""
    slab = 36 * 2 / 1000
    pair = MaskPair(*masks(0, 6), WIDE_GRID)

    assert false_volume(pair) == pytest.approx(2 * slab)
    assert far_volume(pair) == pytest.approx(slab)
    assert far_volume(MaskPair(*masks(0, 20), WIDE_GRID).cut()) == pytest.approx(2 * slab)
    assert far_volume(MaskPair(*masks(0), WIDE_GRID)) == 0


def test_without_a_lesion_everything_predicted_is_false_and_far():
    """The total predicted volume; nothing where nothing is predicted, or where a tumour is missed."""
    prediction, truth = masks(4)
    nothing = np.zeros_like(truth)

    for name in ("false_volume", "far_volume"):
        assert judge(METRICS[name], MaskPair(prediction, nothing, WIDE_GRID)) == pytest.approx(72 * 2 / 1000)
        assert judge(METRICS[name], MaskPair(nothing, nothing, WIDE_GRID)) == 0
        assert judge(METRICS[name], MaskPair(nothing, truth, WIDE_GRID)) == 0


def test_volumes_of_false_alarms_are_compared_as_ratios():
    """Their register entry says what is added before logarithms; Dice has none."""
    assert metric_named("far_volume").offset == 0.1
    assert metric_named("false_volume").offset == 0.1
    assert metric_named("dice").offset is None


def test_the_true_volume_says_how_large_a_region_is():
    """In ml, whatever was predicted."""
    prediction, truth = masks(4)

    assert judge(METRICS["true_volume"], MaskPair(prediction, truth, WIDE_GRID)) == pytest.approx(72 * 2 / 1000)
    assert judge(METRICS["true_volume"], MaskPair(prediction, np.zeros_like(truth), WIDE_GRID)) == 0
