"""The leakage firewall: an overlap at any depth stops the run and is named."""

from dataclasses import replace

import pytest
from hypothesis import given

from glioforge.core.cohort import Cohort
from glioforge.core.errors import LeakageError
from glioforge.core.firewall import free_of, require_apart, require_no_leak
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.core.split import split_by_subject
from strategies import case_ref, cohort_of, cohorts, seeds


def synthetic(case_id, *subjects):
    """A synthetic case made from these subjects."""
    parents = {f"{s}-0": Lineage.real("scan", s) for s in subjects}
    return replace(case_ref(case_id, case_id), lineage=Lineage.synthetic("spade", parents, seed=1))


@given(cohorts(smallest=3), seeds)
def test_a_split_passes(cohort, seed):
    """Training and validation side of any split stand against its test side."""
    split = split_by_subject(cohort, test=0.3, validation=0.2, seed=seed)

    require_no_leak({"train": split.train, "validation": split.validation}, split.test)


def test_a_case_of_an_evaluation_subject_is_named():
    """Another session of a test subject is a leak."""
    cohort = cohort_of(4, sessions=2)

    with pytest.raises(LeakageError) as caught:
        require_no_leak({"training cases": cohort.select(["s00-0", "s03-0"])}, cohort.select(["s03-1"], "test"))

    assert str(caught.value) == (
        "evaluation subjects stand behind training inputs: training cases: case 's03-0' comes from ['s03']; "
        "expected no subject of 'test' in any input; split by subject before anything is fitted, "
        "and make synthetic cases from training subjects only"
    )


def test_a_child_of_an_evaluation_subject_is_named():
    """A synthetic case from a test subject's mask is a leak, whatever its own subject id."""
    test = cohort_of(2)
    train = Cohort("synthetic", (synthetic("x1", "s05"), synthetic("x2", "s01", "s07")), COMPLETE)

    with pytest.raises(LeakageError, match=r"arm D: case 'x2' comes from \['s01'\]; expected"):
        require_no_leak({"arm D": train}, test)


def test_a_generator_that_saw_an_evaluation_subject_is_named():
    """A model's lineage is an input like any other."""
    trained = Lineage.synthetic("spade", {}, seed=1, generator_subjects=["s01", "s09"])

    with pytest.raises(LeakageError, match=r"generator was made from subjects \['s01'\]"):
        require_no_leak({"generator": trained}, cohort_of(2))
    require_no_leak({"generator": Lineage.real("atlas", "nobody")}, cohort_of(2))


def test_a_message_names_every_way_in_which_a_subject_was_seen():
    """First those who were trained on, then the others by their way."""
    trained = Lineage.union("spade", [Lineage.real("scan", "s00")]).through("validation cases", ["s01", "s09"])

    with pytest.raises(LeakageError) as caught:
        require_no_leak({"model": trained}, cohort_of(2))
    assert (
        "model was made from subjects ['s00']; model was made from subjects ['s01'] through validation cases; expected"
        in str(caught.value)
    )


def test_cases_free_of_the_evaluation_are_found_by_the_same_rule():
    """By own subject and by lineage; none where all come from it."""
    test = cohort_of(2)
    cohort = Cohort("all", (*cohort_of(4), synthetic("x1", "s01"), synthetic("x2", "s03")), COMPLETE)
    free = free_of(cohort, test)

    assert [ref.case_id for ref in free] == ["s02-0", "s03-0", "x2"]
    require_no_leak({"free": free}, test)
    assert len(free_of(test, test)) == 0


def test_parents_of_evaluation_cases_count_as_well():
    """A synthetic evaluation case guards the subjects it was made from."""
    evaluation = Cohort("test", (synthetic("x1", "s05"),), COMPLETE)

    with pytest.raises(LeakageError, match=r"case 's05-0' comes from \['s05'\]"):
        require_no_leak({"train": cohort_of(6)}, evaluation)


def completed(cohort):
    """The cohort as if a model of the subject `healthy` had labelled its normal tissue."""
    refs = (replace(ref, lineage=replace(ref.lineage, subjects=(ref.subject_id, "healthy"))) for ref in cohort)
    return Cohort(cohort.name, tuple(refs), cohort.scheme)


def test_who_stands_behind_labels_of_all_scans_does_not_hold_them_together():
    """Sides of a split are apart, and the subject itself may train; but it must not be evaluated."""
    split = split_by_subject(completed(cohort_of(6)), test=0.3, validation=0.2, seed=1)
    healthy = Cohort("healthy", (case_ref("healthy-0", "healthy"),), COMPLETE)

    require_apart({"training": split.train, "validation": split.validation, "test": split.test})
    require_no_leak({"healthy": healthy}, split.test)
    with pytest.raises(LeakageError, match=r"comes from \['healthy'\]"):
        require_no_leak({"train": split.train}, healthy)


def test_long_lists_are_cut():
    """Ten leaks are named and the rest counted."""
    with pytest.raises(LeakageError, match="case 's09-0' comes from .* and 2 more; expected"):
        require_no_leak({"train": cohort_of(12)}, cohort_of(12))


@given(cohorts(smallest=3), seeds)
def test_sides_of_a_split_of_real_cases_are_apart(cohort, seed):
    """A split by subject passes."""
    split = split_by_subject(cohort, test=0.3, validation=0.2, seed=seed)
    require_apart({"training": split.train, "validation": split.validation, "test": split.test})


@pytest.mark.parametrize("side", ["training", "validation", "test"])
def test_a_synthetic_case_is_kept_on_its_parents_side(side):
    """Wherever a case made from s00 lies, s00 may lie on no other side."""
    sides = {
        name: cohort_of(6).of_subjects([f"s0{n}"], name) for n, name in enumerate(["training", "validation", "test"])
    }
    parent = {"training": "s01", "validation": "s02", "test": "s00"}[side]
    made = Cohort("made", (*sides[side], synthetic("x1", parent)), COMPLETE)
    with pytest.raises(LeakageError, match=rf"\['{parent}'\]"):
        require_apart({**sides, side: made})
    require_apart({**sides, side: Cohort("made", (*sides[side], synthetic("x1", "s05")), COMPLETE)})
