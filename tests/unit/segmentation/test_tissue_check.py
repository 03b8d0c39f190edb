"""Numbers about completed label maps: counted by hand on a brain of few voxels."""

import numpy as np
import pytest

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2023, CARVER_BRAINMAP, COMPLETE
from glioforge.segmentation.tissue import check_rows, summary_of, warnings_of

GRID = Geometry.isotropic((10, 1, 1), 3.0)


def row_of_voxels(values, scheme=COMPLETE):
    """A brain that is one row of voxels of 3 mm."""
    return LabelMap(np.array(values, dtype=np.uint8).reshape(10, 1, 1), GRID, scheme)


def values_of(rows):
    """Values by region and metric."""
    return {(row.region, row.metric): row.value for row in rows}


MADE = row_of_voxels([0, 2, 3, 6, 4, 4, 5, 5, 5, 6])
FOUND = row_of_voxels([0, 6, 4, 6, 4, 4, 5, 5, 5, 6])


def test_volumes_and_ratios_are_those_of_the_made_map():
    """27 mm3 a voxel; fluid over all that is not background."""
    values = values_of(check_rows(MADE, FOUND))
    volumes = {name: value for (name, metric), value in values.items() if metric == "volume"}
    assert volumes == pytest.approx({"white_matter": 0.054, "grey_matter": 0.081, "csf": 0.054})
    assert values["brain", "grey_to_white"] == pytest.approx(1.5)
    assert values["brain", "csf_to_brain"] == pytest.approx(2 / 9)


def test_fluid_is_counted_beneath_the_tumour_around_it_and_elsewhere():
    """Half of the tumour is fluid to the network; of the rim of 5 mm, one voxel wide, all."""
    values = values_of(check_rows(MADE, FOUND))
    shares = {name: value for (name, metric), value in values.items() if metric == "csf_share"}
    assert shares == pytest.approx({"WT": 0.5, "rim": 1.0, "rest": 1 / 6})


def test_a_brain_without_tumour_has_no_fluid_at_one():
    """Nor a ratio to white matter that is not there."""
    bare = row_of_voxels([0, 5, 5, 5, 5, 5, 5, 5, 6, 6])
    assert {row.metric for row in check_rows(bare, bare)} == {"volume", "csf_to_brain"}


@pytest.mark.parametrize("scheme", [BRATS2023, CARVER_BRAINMAP])
def test_labels_without_tissue_classes_are_not_compared(scheme):
    """Tumour alone, or bands of intensity."""
    before = row_of_voxels(np.minimum(MADE.voxels.ravel(), 3), scheme)
    assert "dice" not in {row.metric for row in check_rows(MADE, FOUND, before)}


def test_tissue_that_came_with_the_case_is_compared():
    """One of four voxels of grey matter was white before."""
    before = row_of_voxels([0, 2, 3, 6, 4, 5, 5, 5, 5, 6])
    dice = {row.region: row.value for row in check_rows(MADE, FOUND, before) if row.metric == "dice"}
    assert dice == pytest.approx({"white_matter": 2 / 3, "grey_matter": 6 / 7, "csf": 1.0})


def test_a_plausible_map_needs_no_look():
    """Half of the tumour is not most of it."""
    assert warnings_of(check_rows(MADE, FOUND)) == []


def test_missing_tissue_and_a_tumour_like_fluid_are_pointed_at():
    """Each in a sentence."""
    made = row_of_voxels([0, 2, 3, 6, 4, 4, 4, 4, 4, 6])
    found = row_of_voxels([0, 6, 6, 6, 4, 4, 4, 4, 4, 6])
    lines = warnings_of(check_rows(made, found))
    assert lines[0] == "no grey_matter found"
    assert lines[1].startswith("100% of the tumour looks like fluid")


def test_a_summary_spans_the_cases_that_have_a_number():
    """Mean and extremes; cases without anything to look at are not listed."""
    bare = row_of_voxels([0, 5, 5, 5, 5, 5, 5, 5, 6, 6])
    summary = summary_of({"a": check_rows(MADE, FOUND), "b": check_rows(bare, bare)})
    scores = {(score["region"], score["metric"]): score for score in summary["scores"]}
    assert scores["csf", "volume"] == {
        "metric": "volume",
        "region": "csf",
        "cases": 2,
        "mean": 0.054,
        "min": 0.054,
        "max": 0.054,
    }
    assert scores["WT", "csf_share"]["cases"] == 1
    assert summary["warnings"] == {"b": ["no white_matter found"]}
    assert summary_of({}) == {"cases": 0, "scores": [], "warnings": {}}
