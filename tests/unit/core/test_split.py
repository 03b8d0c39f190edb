"""Splits: no subject on two sides, sizes as asked, every stratum spread, the same every time."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.schemes import COMPLETE
from glioforge.core.split import Split, folds_by_subject, size_stratum, split_by_names, split_by_subject
from strategies import case_ref, cohort_of, cohorts, seeds

shares = st.floats(0.05, 0.45)
"""Shares for test and validation whose sum stays below one."""


def sides(split):
    """Subject sets of the three sides."""
    return [set(side.subject_ids) for side in (split.train, split.validation, split.test)]


def is_partition(split, cohort):
    """Whether every case lies on exactly one side, and every subject, too."""
    ids = [ref.case_id for side in (split.train, split.validation, split.test) for ref in side]
    train, validation, test = sides(split)
    apart = not (train & validation or train & test or validation & test)
    return apart and sorted(ids) == sorted(ref.case_id for ref in cohort)


def graded(large, small):
    """A cohort of so many large and small tumours."""
    refs = [case_ref(f"l{n:02}-0", f"l{n:02}", tumour_ml=80.0) for n in range(large)]
    refs += [case_ref(f"s{n:02}-0", f"s{n:02}", tumour_ml=5.0) for n in range(small)]
    return Cohort("graded", tuple(refs), COMPLETE)


def test_sides_that_share_a_subject_are_no_split():
    """The type itself refuses a leak between its sides."""
    cohort = cohort_of(3)

    with pytest.raises(CohortError, match=r"subjects on two sides: \['s00', 's01', 's02'\]; expected each subject"):
        Split(cohort, cohort_of(0), cohort)


@given(cohorts(smallest=3), shares, shares, seeds)
def test_no_subject_lies_on_two_sides(cohort, test, validation, seed):
    """Every case lies on one side with all cases of its subject; no side is empty."""
    split = split_by_subject(cohort, test=test, validation=validation, seed=seed)

    assert is_partition(split, cohort)
    assert all(sides(split))


@given(cohorts(smallest=3), shares, shares, seeds)
def test_sizes_are_the_shares_asked_for(cohort, test, validation, seed):
    """Rounded, at least one, and leaving at least one for training."""
    count = len(cohort.subject_ids)

    split = split_by_subject(cohort, test=test, validation=validation, seed=seed)

    tested = min(max(1, round(test * count)), count - 2)
    assert len(split.test.subject_ids) == tested
    assert len(split.validation.subject_ids) == min(max(1, round(validation * count)), count - tested - 1)


@given(cohorts(smallest=3), seeds)
def test_the_order_of_cases_does_not_matter(cohort, seed):
    """A cohort read in another order is split alike."""
    turned = replace(cohort, cases=cohort.cases[::-1])

    split = split_by_subject(cohort, test=0.3, validation=0.2, seed=seed)

    assert sides(split_by_subject(turned, test=0.3, validation=0.2, seed=seed)) == sides(split)


def test_another_seed_splits_otherwise():
    """The seed matters."""
    splits = [sides(split_by_subject(cohort_of(20), test=0.3, validation=0.2, seed=seed)) for seed in range(3)]

    assert splits[0] != splits[1] != splits[2] != splits[0]


@given(seeds)
def test_strata_are_spread_over_the_sides(seed):
    """Of 12 large and 24 small tumours every side gets a third large ones, give or take one."""
    split = split_by_subject(graded(12, 24), test=0.25, validation=0.25, seed=seed)

    for side, large in ((split.test, 3), (split.validation, 3), (split.train, 6)):
        assert abs(sum(s.startswith("l") for s in side.subject_ids) - large) <= 1


def test_stratum_is_grade_site_and_size_as_far_as_known():
    """What is not known is left empty."""
    assert size_stratum(case_ref("a-0", "a")) == "//"
    assert size_stratum(case_ref("a-0", "a", grade="HGG", site=3, tumour_ml=40.5)) == "HGG/3/large"
    assert size_stratum(case_ref("a-0", "a", tumour_ml=40)) == "//small"


@pytest.mark.parametrize(("test", "validation"), [(-0.1, 0.2), (0.5, 0.5), (1.2, 0.1), (0.0, 1.0)])
def test_refuses_impossible_shares(test, validation):
    """Something has to be left to train on."""
    with pytest.raises(CohortError, match="expected numbers from 0 with a sum below 1"):
        split_by_subject(cohort_of(10), test=test, validation=validation, seed=0)


def test_refuses_two_subjects():
    """Many cases of two subjects make no three sides."""
    with pytest.raises(
        CohortError,
        match="cohort: 2 subjects; expected at least 3, one for each of .*; add subjects",
    ):
        split_by_subject(cohort_of(2, sessions=5), test=0.2, validation=0.2, seed=0)


@given(cohorts(smallest=1), shares, seeds)
def test_a_share_of_zero_leaves_a_side_empty(cohort, share, seed):
    """All subjects are trained on; with one share, one side beside training is filled."""
    whole = split_by_subject(cohort, test=0, validation=0, seed=seed)
    assert is_partition(whole, cohort)
    assert set(whole.train.subject_ids) == set(cohort.subject_ids)
    if len(cohort.subject_ids) > 1:
        for test, validation in ((share, 0), (0, share)):
            split = split_by_subject(cohort, test=test, validation=validation, seed=seed)
            assert is_partition(split, cohort)
            assert [bool(len(side)) for side in (split.train, split.validation, split.test)] == [
                True,
                bool(validation),
                bool(test),
            ]


@given(cohorts(smallest=4), st.integers(2, 6), shares, seeds)
def test_every_subject_is_tested_in_exactly_one_fold(cohort, folds, validation, seed):
    """Each fold is a split of the whole cohort; test sides are disjoint and complete."""
    folds = min(folds, len(cohort.subject_ids))

    splits = folds_by_subject(cohort, folds=folds, validation=validation, seed=seed)

    assert len(splits) == folds
    assert all(is_partition(split, cohort) and all(sides(split)) for split in splits)
    tested = [s for split in splits for s in split.test.subject_ids]
    assert sorted(tested) == sorted(cohort.subject_ids)
    sizes = [len(split.test.subject_ids) for split in splits]
    assert max(sizes) - min(sizes) <= 1


@given(cohorts(smallest=6), seeds)
def test_validation_subjects_differ_from_fold_to_fold(cohort, seed):
    """A small validation share takes other subjects in every fold."""
    splits = folds_by_subject(cohort, folds=3, validation=0.01, seed=seed)

    assert len({split.validation.subject_ids for split in splits}) == 3


@given(cohorts(smallest=3), seeds)
def test_folds_do_not_depend_on_the_order_of_cases(cohort, seed):
    """A cohort read in another order is divided alike."""
    turned = replace(cohort, cases=cohort.cases[::-1])

    assert [sides(split) for split in folds_by_subject(turned, folds=3, validation=0.2, seed=seed)] == [
        sides(split) for split in folds_by_subject(cohort, folds=3, validation=0.2, seed=seed)
    ]


@given(seeds)
def test_strata_are_spread_over_the_folds(seed):
    """Of 6 large and 12 small tumours each of three folds tests two large ones."""
    for split in folds_by_subject(graded(6, 12), folds=3, validation=0.2, seed=seed):
        assert sum(s.startswith("l") for s in split.test.subject_ids) == 2


def test_a_large_validation_share_leaves_a_training_subject():
    """Nine tenths for validation beside half for testing leaves one subject for training."""
    for split in folds_by_subject(cohort_of(10), folds=2, validation=0.9, seed=0):
        assert [len(side) for side in sides(split)] == [1, 4, 5]


@pytest.mark.parametrize(("subjects", "folds"), [(3, 2), (2, 2), (5, 6), (9, 1), (0, 2)])
def test_refuses_folds_that_leave_no_three_sides(subjects, folds):
    """Two subjects besides the largest test side are needed."""
    with pytest.raises(CohortError, match=f"cohort: {folds} folds of {subjects} subjects; expected at least two folds"):
        folds_by_subject(cohort_of(subjects), folds=folds, validation=0.2, seed=0)


@pytest.mark.parametrize("validation", [0.0, 1.0])
def test_refuses_a_validation_share_of_none_or_all(validation):
    """Models are chosen on somebody, and trained on somebody."""
    with pytest.raises(CohortError, match=r"cohort: validation share .*; expected a number in \(0, 1\)"):
        folds_by_subject(cohort_of(9), folds=3, validation=validation, seed=0)


@given(cohorts(smallest=3), seeds)
def test_a_split_can_be_had_again_from_its_names(cohort, seed):
    """Names written down give the same sides."""
    split = split_by_subject(cohort, test=0.3, validation=0.2, seed=seed)
    written = {side: getattr(split, side).subject_ids for side in ("train", "validation", "test")}

    assert split_by_names(cohort, written) == split


def test_a_side_that_is_not_named_is_empty():
    """Subjects that no side names are left out."""
    split = split_by_names(cohort_of(4), {"train": ["s00"], "test": ["s03"]})

    assert sides(split) == [{"s00"}, set(), {"s03"}]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"train": ["s00"], "test": ["s00"]}, r"subjects on two sides: \['s00'\]"),
        ({"train": ["s00", "s09"]}, r"cohort: unknown subjects \['s09'\]; expected subjects of the cohort"),
        ({"trian": ["s00"]}, r"cohort: sides \['trian'\]; expected train, validation and test"),
    ],
)
def test_refuses_wrong_names(named, message):
    """Twice, unknown, or a side that does not exist."""
    with pytest.raises(CohortError, match=message):
        split_by_names(cohort_of(3), named)
