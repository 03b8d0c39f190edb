"""Promises of the splits that papers use: the first subjects, sites apart, and the shuffle of slices, which leaks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, LeakageError
from glioforge.core.firewall import require_no_leak
from glioforge.core.split import split_by_site, split_in_order
from glioforge.studies.base import First80, Sites, Slices
from glioforge.studies.given import splits
from glioforge.studies.leaky import person_of, promised_sides, sides_of, write_slices
from glioforge.studies.question import planned
from toy_arms import MORE, REAL, study
from toy_cohort import toy_cohort
from toy_study import COHORT, SPLIT, toy_fold, toy_study

SIDES = ("train", "validation", "test")


def with_sites(*sites):
    """The toy cohort, each subject of a site."""
    cases = zip(COHORT, sites, strict=True)
    return replace(COHORT, cases=tuple(replace(ref, facts={"site": site}) for ref, site in cases))


def test_the_first_subjects_are_trained_on():
    """In the order of their names, whatever that of the cohort is; the last ones are tested."""
    cohort = replace(COHORT, cases=COHORT.cases[::-1])
    split = split_in_order(cohort, first=0.7, validation=0.25, seed=1)
    assert set(split.test.subject_ids) == {"s04", "s05"}
    assert len(split.validation) == 1
    (again,) = splits(toy_study(Path("study")).spec.model_copy(update={"split": First80(first=0.7)}), cohort)
    assert set(again.test.subject_ids) == {"s04", "s05"}


def test_sites_are_tested_apart():
    """Each in a fold of its own, or those named in one; nobody else's site is in training or validation."""
    cohort = with_sites("a", "a", "b", "b", "c", "c")
    folds = split_by_site(cohort, validation=0.3, seed=1)
    assert [set(fold.test.subject_ids) for fold in folds] == [{"s00", "s01"}, {"s02", "s03"}, {"s04", "s05"}]
    spec = toy_study(Path("study")).spec.model_copy(update={"split": Sites(test=("a", "c"))})
    (one,) = splits(spec, cohort)
    assert set(one.test.subject_ids) == {"s00", "s01", "s04", "s05"}


@pytest.mark.parametrize(
    ("sites", "test", "message"),
    [
        ((*"aaaab", None), (), r"subjects without a site: \['s05'\]"),
        ("aaaaaa", (), "1 site; expected the site of every subject, and at least two sites; known are \\['a'\\]"),
        ("aabbcc", ("d",), r"no site \['d'\]"),
    ],
)
def test_sites_that_cannot_be_apart_are_refused(sites, test, message):
    """With what is known."""
    with pytest.raises(CohortError, match=message):
        split_by_site(with_sites(*sites), validation=0.3, seed=1, test=test)


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Slices of four toy heads, shuffled."""
    place = tmp_path_factory.mktemp("slices")
    return write_slices(toy_cohort(range(4)), place, test=0.2, validation=0.2, seed=1)


def test_every_slice_lies_on_one_side(cut):
    """All slices with brain, each once, of everyone on every side; images, labels and brain alike."""
    split = sides_of(cut)
    assert {side: len(getattr(split, side)) for side in SIDES} == dict.fromkeys(SIDES, 4)
    whole = {ref.case_id: ref.load() for ref in toy_cohort(range(4))}
    seen = {case_id: np.zeros(case.geometry.shape, dtype=int) for case_id, case in whole.items()}
    for ref in cut:
        part = ref.load()
        brain = part.brain_mask
        seen[person_of(ref)["case_id"]] += brain
        assert not part.require_labels().voxels[~brain].any()
        assert all((volume.voxels[~brain] == 0).all() for volume in part.images.values())
    assert all((seen[case_id] == case.brain_mask).all() for case_id, case in whole.items())
    counts = [sum(int(ref.load().brain_mask.any(axis=(0, 1)).sum()) for ref in getattr(split, side)) for side in SIDES]
    assert counts[1] == counts[2] == round(0.2 * sum(counts))


def test_models_of_slices_are_refused_for_everyone_later(cut):
    """Their lineage names the people, so that a firewall outside of this fold stops them; within it they pass."""
    split = sides_of(cut)
    require_no_leak({"slices": split.train}, split.test)
    with pytest.raises(LeakageError, match=r"'s00'.* through other slices, LEAKY"):
        require_no_leak({"slices": split.train}, toy_cohort([0]))


def test_a_plan_knows_the_sides_before_slices_are_cut(cut):
    """By the same names."""
    promised = promised_sides(toy_cohort(range(4)))
    assert all(getattr(promised, side).subject_ids == getattr(sides_of(cut), side).subject_ids for side in SIDES)


def test_leaky_arms_stand_beside_sound_ones(tmp_path):
    """Each marked; the leaky baseline is compared with the sound one, and arms with edits have no twin."""
    copied = {**MORE, "name": "copied", "source": "again"}
    edits = {"name": "none", "steps": [{"edit": {"kind": "scale", "volume_factor": [0.5, 0.5]}}]}
    more = {"sources": {"again": {"kind": "copies"}}, "recipe": edits, "split": Slices().model_dump()}
    spec = study((REAL, MORE, copied), **more)
    assert {arm.name: arm.reference for arm in spec.every_arm if arm.split == "leaky"} == {
        "real-leaky": "real",
        "copied-leaky": "real-leaky",
    }
    folds = [replace(toy_fold(tmp_path, index=index)) for index in (0, 1)]
    folds = [replace(fold, study=replace(fold.study, spec=spec), planned=SPLIT) for fold in folds]
    arms = [{task.arm for task in planned(spec, [fold]) if task.kind == "segmenter"} for fold in folds]
    assert arms == [{"real", "more", "copied"}, {"real-leaky", "copied-leaky"}]
    runs = {task.run.__name__ for task in planned(spec, [folds[1]]) if task.kind == "scores"}
    assert runs == {"score_slices"}
    assert isinstance(folds[1].split.train, Cohort)
