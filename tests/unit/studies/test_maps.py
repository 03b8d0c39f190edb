"""Label maps from noise are judged as drawn: counts of the z-score filter, and the curve of the training."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import CohortError
from glioforge.report.page import Figure, Table
from glioforge.studies.classes_report import maps_section
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.steps.maps import judged
from toy_cohort import toy_cohort
from toy_study import toy_fold


def test_maps_are_counted_beside_those_of_unseen_subjects_and_shown(tmp_path):
    """The page has a row for each filter, and pictures; most real maps lie within the calibrated limit."""
    record = Record("fold-0/maps/masks", "maps", arm="masks")
    (tmp_path / record.task).mkdir(parents=True)
    details = judged(toy_cohort(range(30, 34)), toy_cohort(range(9)), toy_cohort(range(20, 26)), tmp_path / record.task)
    counts = details["filters"]["calibrated"]
    assert (counts["drawn"], counts["real_drawn"]) == (4, 6)
    assert counts["real_refused"] <= 3
    assert np.isfinite(counts["norm"])
    study = replace(toy_fold(tmp_path / "study").study, root=tmp_path)
    (section,) = maps_section(Results(study, (), (replace(record, details=details),)))
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert [row[1] for row in table.rows] == ["as published", "calibrated"]
    assert any(isinstance(block, Figure) for block in section.blocks)
    assert maps_section(Results(study, (), ())) == ()


def test_too_few_subjects_are_refused(tmp_path):
    """A deviation of two maps says nothing."""
    with pytest.raises(CohortError, match="at least 3"):
        judged(toy_cohort([30]), toy_cohort(range(2)), toy_cohort([20]), tmp_path)
