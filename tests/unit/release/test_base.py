"""Tests of `release.base`: numbers say nothing of ids, and the key leads back."""

from dataclasses import replace

import pytest

from glioforge.core.errors import CohortError
from glioforge.release.base import CaseName, kept, numbered, with_entities
from toy_release import cohort_of, scan, synthetic


def test_subjects_are_numbered_and_sessions_where_there_are_several():
    """The order of the cases is kept; a synthetic case has a name of its own."""
    first, second = scan(1), scan(2)
    again = replace(first, case_id="s01-2", session="week-3")
    names = numbered([*cohort_of([first, second, again]), *cohort_of([synthetic(3, [second])])])

    assert [name.case_id for name in names.cases.values()] == [
        "sub-001_ses-1",
        "sub-002",
        "sub-001_ses-2",
        "sub-syn001",
    ]
    assert names.subjects == {"s01": "sub-001", "s02": "sub-002"}


def test_people_behind_who_are_not_exported_are_numbered_too():
    """A lineage keeps how many there are."""
    names = numbered([*cohort_of([scan(1)]), *cohort_of([synthetic(3, [scan(5), scan(1)])])])

    assert names.subjects == {"s01": "sub-001", "s05": "source-001"}
    assert names.key()["subjects"] == {"sub-001": "s01", "source-001": "s05"}
    assert names.key()["cases"]["sub-syn001"] == "s05-1-syn000"


def test_no_cases_have_no_names():
    """Empty in, empty out."""
    assert numbered([]).cases == kept([]).subjects == {}


def test_kept_ids_are_those_of_the_cohort():
    """Case, subject and session."""
    names = kept(list(cohort_of([replace(scan(1), session="2")])))

    assert names.cases == {"s01-1": CaseName("s01-1", "s01", "2")}
    assert not names.renumbered


def test_kept_ids_that_bids_cannot_tell_apart_are_refused():
    """Only letters and digits are left of them."""
    one, two = scan(1), scan(2)
    cases = [replace(one, case_id="a-b", subject_id="a-b"), replace(two, case_id="A_b", subject_id="A_b")]

    with pytest.raises(CohortError, match="get one name in BIDS: a-b, A_b.*keep"):
        with_entities(kept(list(cohort_of(cases))))
