"""The page of filtered cases."""

from dataclasses import replace

import numpy as np

from glioforge.core import Geometry, VerdictRow
from glioforge.data.alike import slices_like
from glioforge.report.html import render
from glioforge.runs.filter_page import filter_page, gallery, passed, pictures_of
from toy_cohort import toy_case, toy_cohort

SLICE = Geometry((16, 14, 1), np.diag([10.0, 10.0, 10.0, 1.0]))


def rows(*refused):
    """Verdicts of two filters on four toys; each pair is a filter and a case that it refuses."""
    return [
        VerdictRow(f"s{seed:02}-1", name, (name, seed) not in refused, float(seed), f"reason of {name} on {seed}")
        for seed in range(4)
        for name in ("first", "second")
    ]


def test_cases_fall_once_and_the_numbers_add_up():
    """A case that two filters refuse falls at the first; what is left and what fell sum to what came before."""
    steps = passed(rows(("first", 1), ("second", 1), ("second", 2), ("second", 3)))

    assert [(s.refuses, s.first, s.left) for s in steps] == [(1, ("s01-1",), 3), (3, ("s03-1", "s02-1"), 1)]


def test_the_page_shows_what_fell_where():
    """A section for each filter at which something fell, with reasons, and one for what was kept."""
    report = filter_page(toy_cohort(range(4), "made"), rows(("first", 1), ("second", 2)))
    page = render(report)

    assert report.verdict == "2 of 4 cases are kept."
    assert [s.heading for s in report.sections] == [
        "Funnel",
        "What first refused",
        "What second refused",
        "What was kept",
        "Reasons",
    ]
    assert "reason of first on 1" in page
    assert report.numbers["funnel"] == [
        {"after": "made", "left": 4},
        {"after": "first", "left": 3},
        {"after": "second", "left": 2},
    ]


def test_nothing_to_judge_makes_a_page_too():
    """No verdicts and no cases."""
    assert "There was no case to judge." in render(filter_page(replace(toy_cohort([1]), cases=()), []))


def test_slices_images_and_turned_cases():
    """A slice is shown as it is, with or without labels; cases with another orientation are left out."""
    cut = list(slices_like(toy_case(1), SLICE))[5]
    bare = pictures_of(replace(cut, labels=None))
    turned = replace(
        toy_case(1),
        images={},
        labels=replace(toy_case(1).labels, geometry=replace(toy_case(1).geometry, affine=np.diag([-10.0, 10, 10, 1]))),
    )

    assert list(pictures_of(cut)) == ["labels", *bare]
    assert pictures_of(cut)["labels"].pixels.shape == (14, 16, 3)
    assert gallery([turned], "turned") == ()
    assert len(gallery([cut, turned], "both")) == 2
