"""Tests of `metrics.lesions` and of the metrics by lesion of `metrics.overlap`: toy cases with hand answers."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial.distance import cdist

from glioforge.core.geometry import Geometry
from glioforge.metrics.base import MaskPair
from glioforge.metrics.lesions import SurfaceDistances, lesion_scores, surface_voxels
from glioforge.metrics.overlap import lesionwise_dice, lesionwise_hd95

SHAPE = (40, 16, 16)


def mask_of(*blocks):
    """Union of blocks `(first i, last i)` of 4 x 4 voxels across."""
    mask = np.zeros(SHAPE, dtype=bool)
    for start, stop in blocks:
        mask[start:stop, 6:10, 6:10] = True
    return mask


def scores_of(prediction, truth, spacing_mm=1.0):
    """Scores of two masks on an isotropic grid."""
    return lesion_scores(prediction, truth, Geometry.isotropic(SHAPE, spacing_mm))


def test_a_perfect_prediction_of_two_lesions():
    """Each lesion scores 1 and 0 mm."""
    truth = mask_of((2, 8), (28, 34))
    scores = scores_of(truth, truth)
    assert (scores.dice, scores.hd95_mm) == ((1.0, 1.0), (0.0, 0.0))
    assert (scores.missed, scores.false_alarms) == (0, 0)


def test_a_missed_lesion_counts_as_much_as_a_found_one():
    """One of two found: mean Dice 1/2, mean HD95 374/2, although the volumes differ."""
    scores = scores_of(mask_of((2, 20)), mask_of((2, 20), (30, 35)))
    assert scores.missed == 1
    assert scores.mean_dice == pytest.approx(0.5)
    assert scores.mean_hd95_mm == pytest.approx(187)


def test_a_false_alarm_counts_like_a_missed_lesion():
    """One lesion found and one invented: mean Dice 1/2, mean HD95 374/2."""
    scores = scores_of(mask_of((2, 8), (30, 31)), mask_of((2, 8)))
    assert scores.false_alarms == 1
    assert scores.mean_dice == pytest.approx(0.5)
    assert scores.mean_hd95_mm == pytest.approx(187)


@pytest.mark.parametrize(("gap", "count"), [(6, 1), (7, 2)])
def test_parts_whose_dilations_touch_are_one_lesion(gap, count):
    """Three steps from either side close a gap of six voxels and touch across none of seven."""
    truth = mask_of((2, 8), (8 + gap, 14 + gap))
    assert len(scores_of(truth, truth).dice) == count


@pytest.mark.parametrize(("offset", "owned"), [(3, True), (4, False)])
def test_a_component_belongs_to_a_lesion_up_to_three_voxels_away(offset, owned):
    """The prediction begins `offset` voxels behind the lesion's last voxel."""
    scores = scores_of(mask_of((7 + offset, 14 + offset)), mask_of((2, 8)))
    assert scores.missed == int(not owned)
    assert scores.false_alarms == int(not owned)
    assert scores.dice == (0.0,)
    assert (scores.hd95_mm == (374.0,)) is not owned


def test_components_of_one_lesion_are_scored_together():
    """A lesion found in two halves, a slice missing between them: Dice 2 * 8 / (8 + 9)."""
    scores = scores_of(mask_of((2, 6), (7, 11)), mask_of((2, 11)))
    assert scores.dice == (pytest.approx(2 * 8 / 17),)
    assert scores.false_alarms == 0


def test_diagonal_neighbours_are_one_component():
    """26-connectivity: two blocks that share only a corner are one false alarm."""
    prediction = np.zeros(SHAPE, dtype=bool)
    prediction[20:22, 2:4, 2:4] = True
    prediction[22:24, 4:6, 4:6] = True
    assert scores_of(prediction, mask_of()).false_alarms == 1


@pytest.mark.parametrize(("voxels", "judged"), [(50, 0), (51, 1)])
def test_lesions_of_up_to_fifty_cubic_millimetres_are_not_judged(voxels, judged):
    """And missing one costs nothing."""
    truth = np.zeros(SHAPE, dtype=bool)
    places = np.argwhere(np.ones((4, 4, 4), dtype=bool))[:voxels] + 4
    truth[tuple(places.T)] = True
    scores = scores_of(mask_of(), truth)
    assert len(scores.dice) == judged
    assert scores.mean_dice == (0.0 if judged else 1.0)


def test_the_threshold_is_a_volume_and_not_a_count():
    """Eight voxels of 2 mm are 64 mm³ and are judged."""
    truth = np.zeros(SHAPE, dtype=bool)
    truth[4:6, 4:6, 4:6] = True
    assert len(scores_of(mask_of(), truth, spacing_mm=2.0).dice) == 1
    assert len(scores_of(mask_of(), truth, spacing_mm=1.0).dice) == 0


def test_a_small_lesion_that_is_found_is_no_false_alarm():
    """Its component belongs to it though it is not judged."""
    small = np.zeros(SHAPE, dtype=bool)
    small[4:6, 4:6, 4:6] = True
    scores = scores_of(small, small)
    assert (scores.dice, scores.false_alarms, scores.mean_dice, scores.mean_hd95_mm) == ((), 0, 1.0, 0.0)


def test_two_empty_masks_are_perfect():
    """No lesion and no false alarm: Dice 1, 0 mm, whether or not the masks are cut to nothing."""
    pair = MaskPair(mask_of(), mask_of(), Geometry.isotropic(SHAPE))
    for some in (pair, pair.cut()):
        assert (lesionwise_dice(some), lesionwise_hd95(some)) == (1.0, 0.0)


def test_only_false_alarms_are_the_worst():
    """A tumour invented where there is none: Dice 0 and 374 mm."""
    pair = MaskPair(mask_of((2, 8)), mask_of(), Geometry.isotropic(SHAPE)).cut()
    assert (lesionwise_dice(pair), lesionwise_hd95(pair)) == (0.0, 374.0)


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
