"""Tests of `metrics.evaluate`: rows of a case, empty cases, schemes, refusals, and contradictory numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import GeometryError, LabelError, MetricError, SpecError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2013, BRATS2017, BRATS2023, COMPLETE
from glioforge.metrics import evaluate
from glioforge.metrics.base import MaskPair
from glioforge.metrics.evaluate import (
    DEFAULT_METRICS,
    METRICS,
    REGIONS,
    evaluate_case,
    metrics_named,
    require_identities,
)
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


SMALL_GRID = Geometry.isotropic((8, 8, 8))


def small_tumour(shift=0, scheme=BRATS2023):
    """Oedema around enhancing tumour around a necrotic core."""
    voxels = np.zeros(SMALL_GRID.shape, dtype=np.uint8)
    voxels[1 + shift : 7, 1:7, 1:7] = 2
    voxels[2 + shift : 6, 2:6, 2:6] = 3
    voxels[3 : 5 - shift, 3:5, 3:5] = 1
    return LabelMap(voxels, SMALL_GRID, scheme)


def test_numbers_of_one_pair_of_masks_pass():
    """Also of empty masks, whose numbers follow the policy."""
    names = ("dice", "jaccard", "sensitivity", "precision")
    empty = LabelMap(np.zeros(SMALL_GRID.shape, dtype=np.uint8), SMALL_GRID, BRATS2023)
    apart = small_tumour().with_voxels(np.roll(np.where(small_tumour().voxels == 1, 3, 0).astype(np.uint8), 3, axis=0))
    for prediction in (small_tumour(1), small_tumour(), empty, apart):
        assert len(evaluate_case(prediction, small_tumour(), metrics=names, where="c1")) == 12


@pytest.mark.parametrize(("metric", "told"), [("dice", "Dice 0.9"), ("jaccard", "Jaccard 0.9")])
def test_overlap_that_does_not_follow_from_the_counts_is_refused(metric, told, monkeypatch):
    """A fault in one metric shows in its relation to the others."""
    wrong = replace(evaluate.METRICS[metric], function=lambda pair: 0.9)
    monkeypatch.setattr(evaluate, "METRICS", {**evaluate.METRICS, metric: wrong})
    with pytest.raises(MetricError, match=rf"^c1: {told}00000 of WT; expected 0\.\d+, from"):
        evaluate_case(
            small_tumour(1), small_tumour(), metrics=("dice", "jaccard", "sensitivity", "precision"), where="c1"
        )


@pytest.mark.parametrize("name", ["true", "predicted"])
def test_masks_that_lost_voxels_of_the_label_map_are_refused(name):
    """TP + FN is the volume of the truth, TP + FP that of the prediction, counted without the box."""
    whole, cut = small_tumour().voxels > 0, (small_tumour().voxels > 0) & (np.arange(8) > 1)
    pair = MaskPair(whole, cut, SMALL_GRID) if name == "true" else MaskPair(cut, whole, SMALL_GRID)
    with pytest.raises(MetricError, match=f"c1: {name} WT of 180 voxels; expected 216, as the label map holds"):
        require_identities(small_tumour(), small_tumour(), {"WT": pair}, (), "c1")


def test_regions_that_do_not_lie_within_each_other_are_refused():
    """A scheme that takes necrosis out of the whole tumour counts it twice elsewhere."""
    regions = {**BRATS2023.regions, "WT": ("oedema", "enhancing")}
    strange = replace(BRATS2023, name="strange", regions=regions)
    with pytest.raises(MetricError, match="c1: 8 voxels of predicted TC outside WT; expected TC within WT"):
        evaluate_case(small_tumour(scheme=strange), small_tumour(), where="c1")
