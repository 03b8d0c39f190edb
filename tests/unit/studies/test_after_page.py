"""A study after a paper never looks like a replication."""

from glioforge.report.page import Report, Section, Table
from glioforge.studies.after_page import with_after
from glioforge.studies.base import StudySpec

AFTER = {"paper": "p", "citation": "Some et al. 2020", "deviations": ["Shorter."], "data": ["Others."], "gaps": ["G."]}
REPORT = Report("A?", "Yes.", (Section("Results", ()), Section("Settings", ())))


def spec(**values):
    """A study after a paper."""
    return StudySpec.model_validate({"name": "a", "title": "A", "after": AFTER, **values})


def test_the_notice_counts_the_differences_and_the_section_lists_them():
    """Before the settings, with phantoms among them."""
    page = with_after(REPORT, spec(data={"kind": "phantom"}))
    table = page.sections[-2].blocks[1]

    assert "not a replication" in page.notices[0].text
    assert "4 differences" in page.notices[0].text
    assert page.notices[0].text.startswith("Computed phantoms, no scans: a study after Some et al. 2020")
    assert with_after(REPORT, spec()).notices[0].text.startswith("A study after Some et al. 2020, on other cases and")
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["Method", "Data", "Data", "Left out"]
    assert page.sections[-1].heading == "Settings"


def test_other_studies_stay_as_they_are():
    """And what a study says of a paper decides no number."""
    plain = spec(after=None)

    assert with_after(REPORT, plain) is REPORT
    assert spec().identity() == plain.identity()
