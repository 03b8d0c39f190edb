"""Tests of `runs.evaluate`: any folder of masks becomes tables, a summary and a page."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CaseError
from glioforge.core.labels import LabelMap
from glioforge.core.protocols import Silent
from glioforge.core.schemes import BRATS2023, BRATS2024
from glioforge.io.nifti import write_labels
from glioforge.io.tables import read_results
from glioforge.runs.evaluate import evaluate_folder
from toy_cohort import cohort_of_cases, toy_case


class Heard(Silent):
    """A progress that keeps what was said."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        """Keep a line."""
        self.lines.append(line)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Three toys: a perfect mask, one that misses everything, one in between; and a mask of nobody."""
    place = tmp_path_factory.mktemp("evaluation")
    (place / "masks").mkdir()
    cases = [toy_case(seed) for seed in (1, 2, 3)]
    for case in cases:
        labels = case.require_labels().to(BRATS2023)
        voxels = labels.voxels.copy()
        if case.subject_id == "s02":
            voxels[:] = 0
        if case.subject_id == "s03":
            voxels[:, :, 7:] = 0
        write_labels(place / "masks" / f"{case.case_id}.nii.gz", labels.with_voxels(voxels))
    write_labels(place / "masks" / "nobody.nii.gz", cases[0].require_labels().to(BRATS2023))
    heard = Heard()
    evaluate_folder(cohort_of_cases(cases), place / "masks", place / "out", scheme="brats2023", progress=heard)
    return place / "out", heard.lines


def test_summary_tells_spread_empties_and_the_shown_cases(judged):
    """Means over subjects, a miss counted, best to worst by name."""
    summary = json.loads((judged[0] / "summary.json").read_text())
    dice = next(s for s in summary["scores"] if (s["region"], s["metric"]) == ("WT", "dice"))

    assert (dice["subjects"], dice["cases"], dice["prediction_empty"], dice["both_empty"]) == (3, 3, 1, 0)
    found = [row.value for row in read_results(judged[0]) if (row.region, row.metric) == ("WT", "dice")]
    assert dice["mean"] == pytest.approx(np.mean(found))
    assert 0 < dice["median"] < 1
    assert summary["shown"] == {"best": "s01-1", "median": "s03-1", "worst": "s02-1"}


def test_masks_of_no_case_are_told_on_the_page_and_while_it_runs(judged):
    """They are passed over, not silently."""
    page = (judged[0] / "report.html").read_text(encoding="utf-8")
    line = "Files that belong to no case of the cohort and were not judged: nobody.nii.gz."

    assert line in judged[1]
    assert line in page


def test_page_shows_the_table_and_the_three_cases(judged):
    """With the misses in the first sentences."""
    page = (judged[0] / "report.html").read_text(encoding="utf-8")

    for text in (
        "Middle half",
        "Best, median and worst cases",
        "3 subjects (too few to conclude)",
        "Masks that miss the whole region: 1 in WT",
        "truth",
    ):
        assert text in page
    assert page.count("<img") == 6


def test_a_case_without_true_labels_is_refused(tmp_path):
    """By its id, and nothing is written."""
    case = toy_case(1)
    (tmp_path / "masks").mkdir()
    write_labels(tmp_path / "masks" / "s01-1.nii.gz", case.require_labels().to(BRATS2023))

    with pytest.raises(CaseError, match="s01-1"):
        evaluate_folder(
            cohort_of_cases([replace(case, labels=None)]), tmp_path / "masks", tmp_path / "out", scheme="brats2023"
        )
    assert not (tmp_path / "out").exists()


def test_the_cavity_is_judged_where_both_sides_name_it_and_a_region_that_no_case_has_is_undefined(tmp_path):
    """Post-treatment labels against masks of five classes; finding nothing of what is not there is no success."""
    old = toy_case(1).require_labels()
    voxels = np.array([0, 4, 2, 2, 0, 0, 0], dtype=np.uint8)[old.voxels]
    truth = LabelMap(voxels, old.geometry, BRATS2024)
    case = replace(toy_case(1), labels=truth)
    (tmp_path / "masks").mkdir()
    write_labels(tmp_path / "masks" / f"{case.case_id}.nii.gz", truth)
    cohort = Cohort("operated", (replace(cohort_of_cases([case]).cases[0], scheme=BRATS2024.name),), BRATS2024)
    page = evaluate_folder(cohort, tmp_path / "masks", tmp_path / "out", scheme="brats2024")
    regions = {score["region"] for score in json.loads((tmp_path / "out" / "summary.json").read_text())["scores"]}

    assert regions == {"WT", "TC", "ET", "RC", "mean"}
    assert "TC undefined (no case has it), ET undefined (no case has it), RC 1.000" in page.read_text()
