"""Tests of `metrics.evaluate`: rows of a case, empty cases, schemes, refusals."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import GeometryError, LabelError, SpecError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2013, BRATS2017, BRATS2023, COMPLETE
from glioforge.metrics.base import MaskPair
from glioforge.metrics.evaluate import DEFAULT_METRICS, METRICS, REGIONS, evaluate_case, metrics_named
from strategies import label_maps

GRID = Geometry((12, 11, 10), np.diag([1.0, 1.5, 2.0, 1.0]))
DIAGONAL = float(np.linalg.norm([12, 16.5, 20]))


def tumour(scheme=BRATS2023, *, enhancing=True, start=3):
    """A small tumour with all three labels, or without the enhancing one."""
    voxels = np.zeros(GRID.shape, dtype=np.uint8)
    voxels[start : start + 6, 3:9, 3:8] = scheme.value("oedema")
    voxels[start + 1 : start + 5, 4:8, 4:7] = scheme.value("enhancing" if enhancing else "oedema")
    if enhancing:
        voxels[start + 2 : start + 4, 5:7, 5] = scheme.value("necrotic_core")
    return LabelMap(voxels, GRID, scheme)


def values(rows):
    """Values by region and metric."""
    return {(row.region, row.metric): row.value for row in rows}


def test_a_row_for_each_region_and_metric_in_order():
    """Regions outermost, metrics as given, units as declared."""
    rows = evaluate_case(tumour(), tumour())
    assert [(r.region, r.metric) for r in rows] == [(r, m) for r in REGIONS for m in DEFAULT_METRICS]
    assert all(row.unit == METRICS[row.metric].unit and row.empty == "" for row in rows)


def test_no_regions_give_no_rows():
    """Nothing asked, nothing answered."""
    assert evaluate_case(tumour(), tumour(), regions=()) == []


def test_values_equal_those_of_each_metric_on_the_whole_mask():
    """Cutting to a box around all regions changes no number."""
    prediction, truth = tumour(start=2), tumour()
    brain = np.ones(GRID.shape, dtype=bool)
    rows = evaluate_case(prediction, truth, metrics=METRICS, brain=brain)
    for row in rows:
        pair = MaskPair(prediction.region(row.region), truth.region(row.region), GRID, brain)
        assert row.value == pytest.approx(METRICS[row.metric].function(pair)), row


@pytest.mark.parametrize(
    ("prediction", "truth", "note", "expected"),
    [
        (False, False, "both empty", (1.0, 0.0, 1.0, 0.0)),
        (True, False, "truth empty", (0.0, DIAGONAL, 0.0, 0.132)),
        (False, True, "prediction empty", (0.0, DIAGONAL, 0.0, 0.132)),
    ],
)
def test_an_empty_mask_gives_the_written_value_and_a_note(prediction, truth, note, expected):
    """Both empty is perfect; one empty is Dice 0, the image's diagonal, NSD 0; never NaN."""
    rows = evaluate_case(
        tumour(enhancing=prediction), tumour(enhancing=truth), ("ET",), ("dice", "hd95", "nsd_1mm", "volume_error")
    )
    assert [row.value for row in rows] == pytest.approx(expected)
    assert {row.empty for row in rows} == {note}


@given(st.data())
def test_no_value_is_ever_nan_and_shares_stay_shares(data):
    """Whatever the maps, every number is finite, and shares lie in [0, 1]."""
    truth = data.draw(label_maps(BRATS2023))
    prediction = data.draw(label_maps(BRATS2023, truth.geometry))
    brain = np.ones(truth.geometry.shape, dtype=bool)
    for row in evaluate_case(prediction, truth, metrics=METRICS, brain=brain):
        assert np.isfinite(row.value)
        assert row.unit != "1" or 0 <= row.value <= 1
        assert row.metric == "volume_difference" or row.value >= 0


def test_maps_of_two_schemes_are_compared_by_meaning():
    """Enhancing is 4 in one scheme and 3 in another; necrosis and core are both tumour core."""
    for scheme in (BRATS2017, COMPLETE):
        rows = evaluate_case(tumour(scheme), tumour(BRATS2023), metrics=("dice",))
        assert [row.value for row in rows] == [1, 1, 1]
    old = LabelMap(BRATS2023.table_to(COMPLETE)[tumour().voxels], GRID, BRATS2013)
    assert values(evaluate_case(old, tumour(), ("WT",), ("dice",))) == {("WT", "dice"): 1}


def test_single_labels_and_tissue_can_be_scored():
    """A label's name is a region too."""
    voxels = np.full(GRID.shape, COMPLETE.value("white_matter"), dtype=np.uint8)
    complete = LabelMap(voxels, GRID, COMPLETE)
    assert values(evaluate_case(complete, complete, ("white_matter",), ("dice",))) == {("white_matter", "dice"): 1}


def test_the_brain_of_a_complete_truth_is_its_foreground():
    """Specificity needs no mask where normal tissue is labelled, and asks for one elsewhere."""
    voxels = np.zeros(GRID.shape, dtype=np.uint8)
    voxels[2:10] = COMPLETE.value("csf")
    voxels[3:5, 3:5, 3:5] = COMPLETE.value("oedema")
    truth = LabelMap(voxels, GRID, COMPLETE)
    wrong = np.zeros(GRID.shape, dtype=np.uint8)
    wrong[3:5, 3:5, 3:6] = COMPLETE.value("oedema")
    row = evaluate_case(LabelMap(wrong, GRID, COMPLETE), truth, ("WT",), ("specificity",))[0]
    assert row.value == pytest.approx(1 - 4 / (8 * 110 - 8))


def test_grids_must_agree():
    """A mask of another grid is not scored."""
    other = LabelMap(tumour().voxels, Geometry.isotropic(GRID.shape), BRATS2023)
    with pytest.raises(GeometryError, match="prediction lies on grid"):
        evaluate_case(other, tumour())


def test_unknown_regions_and_metrics_are_named():
    """The messages list what there is."""
    with pytest.raises(LabelError, match="region 'XX'"):
        evaluate_case(tumour(), tumour(), ("XX",))
    with pytest.raises(SpecError, match=r"metrics \['f1'\]; expected some of \['dice'"):
        metrics_named(["dice", "f1"])
