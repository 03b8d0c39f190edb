"""Volume predicted where there is no tumour."""

import numpy as np
import pytest

from glioforge.core.geometry import Geometry
from glioforge.metrics.base import MaskPair
from glioforge.metrics.evaluate import METRICS, judge
from glioforge.metrics.overlap import false_volume, far_volume
from glioforge.metrics.register import metric_named

GRID = Geometry((30, 10, 10), np.diag([2.0, 1.0, 1.0, 1.0]))


def masks(*predicted):
    """A true cube from 0 to 4 mm along the first axis, and predicted slabs that begin at these voxels."""
    truth, prediction = np.zeros((2, *GRID.shape), dtype=bool)
    truth[:2, 2:8, 2:8] = True
    for start in predicted:
        prediction[start : start + 2, 2:8, 2:8] = True
    return prediction, truth


def test_only_what_lies_beyond_ten_millimetres_is_far():
    """Voxel 6 is exactly 10 mm from the last true one and near; voxel 7 is 12 mm from it and far."""
    slab = 36 * 2 / 1000
    pair = MaskPair(*masks(0, 6), GRID)

    assert false_volume(pair) == pytest.approx(2 * slab)
    assert far_volume(pair) == pytest.approx(slab)
    assert far_volume(MaskPair(*masks(0, 20), GRID).cut()) == pytest.approx(2 * slab)
    assert far_volume(MaskPair(*masks(0), GRID)) == 0


def test_without_a_lesion_everything_predicted_is_false_and_far():
    """The total predicted volume; nothing where nothing is predicted, or where a tumour is missed."""
    prediction, truth = masks(4)
    nothing = np.zeros_like(truth)

    for name in ("false_volume", "far_volume"):
        assert judge(METRICS[name], MaskPair(prediction, nothing, GRID)) == pytest.approx(72 * 2 / 1000)
        assert judge(METRICS[name], MaskPair(nothing, nothing, GRID)) == 0
        assert judge(METRICS[name], MaskPair(nothing, truth, GRID)) == 0


def test_volumes_of_false_alarms_are_compared_as_ratios():
    """Their register entry says what is added before logarithms; Dice has none."""
    assert metric_named("far_volume").offset == 0.1
    assert metric_named("false_volume").offset == 0.1
    assert metric_named("dice").offset is None


def test_the_true_volume_says_how_large_a_region_is():
    """In ml, whatever was predicted."""
    prediction, truth = masks(4)

    assert judge(METRICS["true_volume"], MaskPair(prediction, truth, GRID)) == pytest.approx(72 * 2 / 1000)
    assert judge(METRICS["true_volume"], MaskPair(prediction, np.zeros_like(truth), GRID)) == 0
