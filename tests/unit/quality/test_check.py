"""Cohorts through quality filters."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.errors import CohortError, LeakageError
from glioforge.core.firewall import require_no_leak
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import VerdictRow, funnel
from glioforge.quality.base import FILTERS, check_cohort
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images, with_labels

SPECS = [FILTERS.parse(kind) for kind in ("plausible_labels", "class_statistics", "duplicate")]


def made_cases():
    """A fresh case, a bleached one, a copy of a training case and one without a lesion."""
    fresh = replace(toy_case(23), lineage=Lineage.synthetic("toy", {}, seed=1))
    bare = np.where(fresh.labels.lesion, 4, fresh.labels.voxels)
    return cohort_of_cases(
        [
            fresh,
            with_images(toy_case(24), lambda v: v + 5, "bleached"),
            replace(toy_case(3), case_id="copy"),
            with_labels(fresh, bare, "bare"),
        ]
    )


def test_each_filter_refuses_what_it_is_for():
    """The fresh case is kept; the others fall to the filter that knows their fault."""
    kept, rows = check_cohort(made_cases(), toy_cohort(range(14)), SPECS, seed=0)
    refused = {(row.case_id, row.filter) for row in rows if not row.keep}

    assert [ref.case_id for ref in kept] == ["s23-1"]
    assert {("bleached", "class_statistics"), ("copy", "duplicate"), ("bare", "plausible_labels")} <= refused
    assert len(rows) == 4 * 3


def test_kept_cases_inherit_the_filters_subjects():
    """Whoever set a limit stands behind every case that passed it."""
    kept, _ = check_cohort(made_cases(), toy_cohort(range(14)), SPECS, seed=0)

    assert {f"s{n:02}" for n in range(14)} <= set(kept["s23-1"].lineage.subjects)
    with pytest.raises(LeakageError, match=r"case 's23-1' comes from \['s05'\] through filter plausible_labels"):
        require_no_leak({"synthetic cases": kept}, toy_cohort([5], "test"))


def test_no_filters_keep_all_unchanged():
    """Without filters the cohort is handed on as it is."""
    made = made_cases()

    assert check_cohort(made, toy_cohort([1]), [], seed=0) == (made, ())


def test_an_empty_cohort_stays_empty():
    """Nothing made, nothing judged."""
    kept, rows = check_cohort(cohort_of_cases([]), toy_cohort(range(5)), SPECS, seed=0)

    assert (len(kept), rows, funnel(rows)) == (0, (), ())


def test_a_filter_that_cannot_be_fitted_says_so():
    """Too few training subjects stop the check instead of passing everything."""
    with pytest.raises(CohortError, match="2 training subjects for filter 'plausible_labels'; expected at least 3"):
        check_cohort(made_cases(), toy_cohort([1, 2]), SPECS, seed=0)


def test_funnel_counts_what_is_left_after_each_filter():
    """A case refused by two filters leaves the funnel once, at the first."""
    rows = [
        VerdictRow(case, name, case not in refused, 0.0, "why")
        for case in "abcd"
        for name, refused in (("first", "a"), ("second", "ab"))
    ]

    assert [(stage.name, stage.count) for stage in funnel(rows)] == [("made", 4), ("first", 3), ("second", 2)]


@pytest.mark.parametrize("score", [1.5, float("inf")])
def test_verdicts_come_back_from_json(score):
    """A verdict survives JSON, an infinite score as well."""
    row = VerdictRow("a", "toy", False, score, "why")

    assert VerdictRow.from_json(json.loads(json.dumps(row.to_json(), allow_nan=False))) == row
