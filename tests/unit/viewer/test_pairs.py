"""Cases that belong side by side are found by lineage, by id or by subject."""

import pytest

from glioforge.core.errors import CohortError
from glioforge.viewer.listed import Listed, Partner, partners


def case(case_id, *parents, cohort="a", subject=None):
    """A listed case that is never loaded."""
    return Listed(case_id, cohort, "real", lambda: None, subject_id=subject, parents=parents)


def test_a_child_finds_its_parents_in_the_other_cohort():
    """The parent whose labels it has comes first, as in its lineage."""
    made, scans = [case("p2-syn000", "p2", "p1")], [case("p1"), case("p2")]

    assert partners(made, scans) == [(Partner(2, "parent"), Partner(1, "parent"))]


def test_a_parent_finds_all_its_children():
    """Two synthetic cases of one scan."""
    scans, made = [case("p1"), case("p2")], [case("p1-syn000", "p1"), case("p1-syn001", "p1")]

    assert partners(scans, made) == [(Partner(2, "child"), Partner(3, "child")), ()]


def test_within_one_cohort_only_lineage_counts():
    """No case is its own partner, nor that of another visit of the subject."""
    cohort = [case("p1", subject="p"), case("p1-syn000", "p1", subject="p"), case("p2", subject="p")]

    assert partners(cohort) == [(Partner(1, "child"),), (Partner(0, "parent"),), ()]


def test_the_same_case_of_another_cohort_is_a_partner():
    """Raw and prepared; a subject counts where neither id nor lineage do."""
    assert partners([case("p1", subject="p")], [case("p1", subject="p"), case("x", subject="p")]) == [
        (Partner(1, "same"),)
    ]
    assert partners([case("v1", subject="p")], [case("v2", subject="p"), case("x", subject="q")]) == [
        (Partner(1, "same"),)
    ]


def test_two_single_cases_are_a_pair():
    """Two files have nothing else in common."""
    assert partners([case("one")], [case("two")]) == [(Partner(1, "same"),)]


def test_cohorts_that_have_nothing_in_common_are_refused():
    """The message names both."""
    with pytest.raises(
        CohortError, match="no case of b that belongs to one of a; expected a cohort made from the other"
    ):
        partners([case("p1"), case("p2")], [case("q1", cohort="b")])
