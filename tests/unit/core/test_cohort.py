"""Cohorts: unique ids, one scheme, selection, mixing, fingerprints."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from glioforge.core.cohort import Cohort, LabelSource
from glioforge.core.errors import CohortError
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.core.volume import Modality
from strategies import case_ref, cohort_of, cohorts

"""Shares of a cohort."""


def test_refuses_two_cases_of_one_id():
    """The message names the ids and the cohort."""
    ref = case_ref("a-1", "a")

    with pytest.raises(CohortError, match="twins: case ids used twice: a-1; expected unique ids; rename"):
        Cohort("twins", (ref, ref), COMPLETE)


def test_refuses_cases_in_another_scheme():
    """Two readings of the integers never meet in one cohort."""
    with pytest.raises(CohortError, match="mixed: cases in schemes complete; expected scheme brats2017"):
        Cohort("mixed", (case_ref("a-1", "a"),), BRATS2017)


def test_the_scheme_of_the_label_files_is_kept_by_all_that_selects_and_mixes():
    """It is no part of the identity; cohorts from files of different schemes have none in common."""
    first = replace(cohort_of(2), source=LabelSource("brats2017", "stated"))
    other = replace(first, name="other", cases=(case_ref("z-1", "z"),))
    assert first == cohort_of(2)
    assert first.fingerprint == cohort_of(2).fingerprint
    assert (first.file_scheme, cohort_of(2).file_scheme) == (BRATS2017, COMPLETE)
    assert first.of_subjects(first.subject_ids[:1]).source == (first + other).source == first.source
    assert (first + replace(other, source=LabelSource("brats2023", "stated"))).source is None


def test_an_empty_cohort_is_a_cohort():
    """Nothing in, nothing out."""
    empty = cohort_of(0)

    assert len(empty) == 0
    assert empty.subject_ids == ()
    assert empty.subjects_behind == frozenset()
    assert empty.modalities == ()


def test_modalities_are_those_of_every_case():
    """A contrast that one case lacks is none of the cohort's."""
    cohort = cohort_of(2)
    poorer = replace(cohort.cases[1], images={Modality.FLAIR: cohort.cases[1].images[Modality.FLAIR]})

    assert cohort.modalities == (Modality.T1, Modality.FLAIR)
    assert replace(cohort, cases=(cohort.cases[0], poorer)).modalities == (Modality.FLAIR,)


@given(cohorts())
def test_cases_are_found_by_id_and_in_order(cohort):
    """Iteration gives the cohort's order; an id gives its case."""
    assert [cohort[ref.case_id] for ref in cohort] == list(cohort.cases)
    assert len(cohort) == len(cohort.cases)


def test_an_unknown_id_is_answered_with_known_ones():
    """The message lists ids."""
    with pytest.raises(CohortError, match="cohort: no case 's09'; expected one of s00-0, s01-0"):
        cohort_of(2)["s09"]
    with pytest.raises(CohortError, match="no case 's09'"):
        cohort_of(2).select(["s00-0", "s09"])


@given(cohorts(), st.data())
def test_select_keeps_the_cohorts_order(cohort, data):
    """The order of the ids does not matter."""
    ids = [ref.case_id for ref in cohort]
    chosen = data.draw(st.lists(st.sampled_from(ids), unique=True)) if ids else []

    selected = cohort.select(chosen, "chosen")

    assert [ref.case_id for ref in selected] == [i for i in ids if i in chosen]
    assert selected.name == "chosen"


@given(cohorts())
def test_of_subjects_takes_all_their_cases(cohort):
    """A subject comes whole; unknown subjects are passed over."""
    wanted = cohort.subject_ids[::2]

    part = cohort.of_subjects([*wanted, "nobody"])

    assert set(part.subject_ids) == set(wanted)
    assert len(part) == sum(ref.subject_id in wanted for ref in cohort)


def test_subjects_behind_include_parents_and_generators():
    """A synthetic case carries the subjects of its mask and its generator."""
    lineage = Lineage.synthetic("spade", {"p": Lineage.real("scan", "donor")}, seed=1, generator_subjects=["g1", "g2"])
    ref = replace(case_ref("new-1", "new"), lineage=lineage)

    assert Cohort("c", (ref,), COMPLETE).subjects_behind == {"new", "donor", "g1", "g2"}


@given(cohorts())
def test_mixing_keeps_every_case(cohort):
    """Cases of both cohorts, in order, under both names."""
    other = cohort_of(2, name="other")
    other = replace(other, cases=tuple(replace(ref, case_id=f"x-{ref.case_id}") for ref in other))

    mixed = cohort + other

    assert mixed.cases == cohort.cases + other.cases
    assert mixed.name == "drawn+other"


def test_mixing_refuses_clashing_ids():
    """A cohort cannot be mixed with itself."""
    with pytest.raises(CohortError, match="case ids used twice"):
        cohort_of(2) + cohort_of(2)


@given(cohorts(smallest=1))
def test_fingerprint_follows_the_contents(cohort):
    """Names do not matter; a changed file, subject or order does."""
    first, *rest = cohort.cases

    changed = [
        replace(cohort, cases=(replace(first, digest="other"), *rest)),
        replace(cohort, cases=(replace(first, subject_id="other"), *rest)),
        replace(cohort, cases=(replace(first, lineage=Lineage.phantom(first.subject_id, 1)), *rest)),
    ]

    assert replace(cohort, name="renamed").fingerprint == cohort.fingerprint
    assert cohort.fingerprint not in {other.fingerprint for other in changed}
    if rest:
        assert replace(cohort, cases=cohort.cases[::-1]).fingerprint != cohort.fingerprint


def test_the_first_case_of_each_subject_is_found():
    """Whatever lies between the cases of a subject."""
    refs = [case_ref(name, name[0]) for name in ("b-1", "a-1", "b-2", "c-1", "a-2")]

    assert [ref.case_id for ref in Cohort("visits", tuple(refs), COMPLETE).first_cases] == ["b-1", "a-1", "c-1"]
