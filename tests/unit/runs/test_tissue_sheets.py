"""Sheets of tissue maps: a picture for each case and a page that names what is implausible."""

import dataclasses

from glioforge.core.cohort import Cohort
from glioforge.core.schemes import COMPLETE
from glioforge.runs.tissue_sheets import case_sheet, tissue_page, write_sheets
from toy_cohort import cohort_of_cases, toy_case

GRADES = {"grey_to_white": 0.4, "csf_share": 0.1, "ring": None, "islands": 2}


def test_a_sheet_for_each_case_and_a_page_for_the_cohort(tmp_path):
    """The page holds the grades, the warning and the picture; a cohort without maps gives a page that says so."""
    facts = {"warnings": ["tissue map: grey_to_white 0.4"], "tissue": {"kind": "unified", "grades": GRADES}}
    case = dataclasses.replace(toy_case(1), facts={"prepared": facts})
    ref = dataclasses.replace(cohort_of_cases([case]).cases[0], facts=case.facts)
    page = write_sheets(Cohort("one", (ref,), COMPLETE), tmp_path)
    text = page.read_text()

    assert (tmp_path / f"{case.case_id}.png").read_bytes() == case_sheet(case)
    assert "1 tissue maps, 1 with warnings." in text
    assert "0 of 1" in text
    assert "tissue map: grey_to_white 0.4" in text
    assert "No case has a graded" in tissue_page(Cohort("empty", (), COMPLETE)).verdict
