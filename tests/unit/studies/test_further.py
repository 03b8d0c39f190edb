"""Further grids, metrics and means of arms: what a study asks for, its rows, and what stays out of its tables."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from glioforge.core import BRATS2023, Geometry, LabelMap
from glioforge.data.preparation.spec import GridSpec
from glioforge.io.tables import PREPARED, SCAN, ResultRow
from glioforge.metrics.evaluate import evaluate_case
from glioforge.report.scores import ResultTable
from glioforge.studies import further
from glioforge.studies.also import AlsoSpec
from glioforge.studies.base import StudySpec
from glioforge.studies.further import further_rows, grid_tables, main_table
from toy_study import COHORT

COARSE = {"spacing_mm": 2.0, "size": [8, 8, 8], "centre": "grid"}
ALSO = {"grids": {"coarse": COARSE, "own": PREPARED}, "metrics": ["specificity"]}


class Asking(StudySpec):
    """A study of no kind that asks for more."""

    also: AlsoSpec = AlsoSpec()


def cube(first, last):
    """A whole tumour of some planes within a grid of 16 voxels of 1 mm."""
    voxels = np.zeros((16, 16, 16), np.uint8)
    voxels[first:last, 4:12, 4:12] = BRATS2023.value("oedema")
    return LabelMap(voxels, Geometry((16, 16, 16), np.eye(4)), BRATS2023)


@pytest.fixture
def rows(monkeypatch):
    """Rows of a mask that is two planes short; all but the outermost voxels are brain."""
    brain = np.zeros((16, 16, 16), bool)
    brain[1:-1, 1:-1, 1:-1] = True
    monkeypatch.setattr(further, "_brain", lambda _: brain)
    truth, mask = cube(4, 12), cube(4, 10)
    ref = COHORT.cases[0]
    found = (mask, ref.load().require_labels())
    return list(further_rows({"arm": "real"}, ("WT",), ref, found, truth, AlsoSpec.model_validate(ALSO)))


def test_a_mask_is_scored_on_every_grid_that_is_asked_for(rows):
    """By Dice on a coarse and on the prepared grid, and by further metrics on the scan's."""
    found = {(row["grid"], row["metric"]): row["value"] for row in rows}

    assert set(found) == {(SCAN, "specificity"), ("coarse", "dice"), ("own", "dice")}
    # Two planes fall into one coarse plane: 3 of 4 planes are found.
    assert found["coarse", "dice"] == pytest.approx(2 * 3 / (3 + 4))
    assert found["own", "dice"] == 1.0
    assert found[SCAN, "specificity"] == 1.0


def test_false_alarms_count_against_the_brain_alone():
    """The same mask would be nearly perfect over the whole grid."""
    brain = np.zeros((16, 16, 16), bool)
    brain[4:13, 4:12, 4:12] = True
    (row,) = evaluate_case(cube(4, 13), cube(4, 12), ("WT",), ("specificity",), brain=brain)

    assert row.value == 0.0


def test_a_grid_that_depends_on_a_brain_is_refused():
    """As are names in use, and metrics that every study has anyway."""
    for part in ({"grids": {"loose": {"size": [8, 8, 8]}}}, {"grids": {"scan": PREPARED}}, {"metrics": ["dice"]}):
        with pytest.raises(ValidationError, match="grids|metrics"):
            AlsoSpec.model_validate(part)
    assert AlsoSpec.model_validate(ALSO).grids["coarse"] == GridSpec.model_validate(COARSE)


def test_means_name_arms_that_the_study_has():
    """And bear names of their own."""
    also = AlsoSpec.model_validate({"means": {"both": {"title": "Both", "arms": ["a", "b"]}}})

    also.require_arms(["a", "b", "c"])
    with pytest.raises(ValueError, match=r"arms \['b'\]"):
        also.require_arms(["a"])
    with pytest.raises(ValueError, match="choose others"):
        also.require_arms(["a", "b", "both"])


def dice(arm, seed, case, value, grid=SCAN):
    """A row of the results table."""
    return ResultRow("s", arm, 0, seed, case, case, "WT", "dice", value, "1", grid=grid)


def test_subsets_are_averaged_within_a_subject_and_grids_stay_apart():
    """A case that one arm lacks has no mean; rows of further grids are in tables of their own."""
    also = AlsoSpec.model_validate({**ALSO, "means": {"half-mean": {"title": "Mean", "arms": ["half", "half-b"]}}})
    spec = Asking(name="s", title="S", also=also)
    scan = [dice("half", 0, "a", 0.2), dice("half-b", 0, "a", 0.6), dice("half", 0, "b", 0.9)]
    table = ResultTable([*scan, *(replace(row, grid="coarse", value=row.value / 2) for row in scan)])

    main, grids = main_table(spec, table), grid_tables(spec, table)

    assert main.scores("half", "WT", "dice").by_subject() == {"a": 0.2, "b": 0.9}
    assert main.scores("half-mean", "WT", "dice").by_subject() == pytest.approx({"a": 0.4})
    assert list(grids) == ["coarse"]
    assert grids["coarse"].scores("half-mean", "WT", "dice").by_subject() == pytest.approx({"a": 0.2})
