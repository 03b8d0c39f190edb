"""Promises of `studies.steps.folder`: cases of another tool are taken; those that show held-out subjects are not."""

from dataclasses import replace

import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, InputFileError, LeakageError
from glioforge.core.protocols import Silent
from glioforge.data.preparation.pipeline import PrepareSpec
from glioforge.data.store import write_case
from glioforge.io.cohort_file import write_cohort
from glioforge.metrics.duplicates import LABEL_MAP, NearDuplicate
from glioforge.studies.fold import cohort_in
from glioforge.studies.perform import perform
from glioforge.studies.steps import folder
from glioforge.studies.steps.folder import content_of, search_near_duplicates, take_folder
from glioforge.studies.steps.synthesize import MADE
from glioforge.studies.task import Task
from toy_cohort import toy_case
from toy_study import SPLIT, toy_fold


@pytest.fixture
def written(tmp_path):
    """Writes a cohort of cases, prepared as the toy cohort is, under other names."""

    def write(cases):
        refs = []
        for number, case in enumerate(cases):
            name = f"made-{number}"
            refs.append(write_case(tmp_path / "made" / "cases", replace(case, case_id=name, subject_id=name)))
        write_cohort(Cohort("made", tuple(refs), SPLIT.train.scheme), tmp_path / "made")
        return tmp_path / "made"

    return write


@pytest.fixture
def take(tmp_path, monkeypatch):
    """Takes a folder into a fold, without preparing it again; returns the record and the cohort."""
    monkeypatch.setattr(folder, "preparations_of", lambda _: ("alike",))

    def run(path, subjects):
        key = {"source": "other", "content": content_of(path), "layout": None, "prepare_as": PrepareSpec()}
        fold = toy_fold(tmp_path / "study")
        key |= {"subjects": subjects, "path": str(path)}
        task = Task("fold-0/cases/other", "cases", fold, take_folder, key, inputs=("train",), arm="other")
        record = perform(task, {}, Silent())
        return fold, record, cohort_in(fold.study.root / task.name / MADE)

    return run


def test_everyone_on_the_training_side_is_behind_an_undeclared_folder(written, take):
    """And nobody of the study behind one that declares so; each case is synthetic from then on."""
    _, record, made = take(written([toy_case(31)]), None)
    (ref,) = made
    assert ref.lineage.is_synthetic
    assert set(ref.lineage.subjects) == {"made-0", "s31", *SPLIT.train.subject_ids}
    assert set(record.lineage.subjects) >= {"s31", *SPLIT.train.subject_ids}
    assert record.details["subjects"] is None


def test_only_those_declared_are_behind_a_declared_folder(written, take):
    """With the name that the case bears."""
    _, record, made = take(written([toy_case(31)]), [SPLIT.train.subject_ids[0]])
    assert set(made.cases[0].lineage.subjects) == {"made-0", "s31", SPLIT.train.subject_ids[0]}
    assert record.details["subjects"] == [SPLIT.train.subject_ids[0]]


def test_a_held_out_subject_behind_a_case_is_refused(written, take):
    """Whatever the folder declares: the lineage of a case that Glioforge made is read."""
    tested = SPLIT.test.cases[0].load()
    with pytest.raises(LeakageError, match=tested.subject_id):
        take(written([tested]), [])


def test_cases_without_labels_are_refused(written, take):
    """With their names."""
    with pytest.raises(CohortError, match="cases without a label map: made-0"):
        take(written([replace(toy_case(31), labels=None)]), [])


def near(score, what="flair"):
    """A pair that agrees so well."""
    return NearDuplicate("a", "b", "s", what, score, mirrored=False)


@pytest.mark.parametrize(
    ("others", "image", "label"),
    [
        ((), 0.8, 0.82),
        ((near(0.7), near(0.72, LABEL_MAP)), 0.85, 0.86),
        ((near(1.0), near(0.2, LABEL_MAP)), 0.95, 0.82),
    ],
)
def test_limits_lie_half_way_from_other_people_to_identity(others, image, label):
    """Never below those of the search, nor so high that a person under two names would hide everyone."""
    limits = folder._limits(others)
    assert (limits.correlation, limits.dice) == pytest.approx((image, label))


def test_a_hit_is_refused_and_no_hit_leaves_no_trace(written, take, monkeypatch):
    """The error names the cases; the record of a search that found nothing says how many were searched."""
    fold, record, _ = take(written([toy_case(31)]), None)
    task = Task(
        "fold-0/search/other",
        "search",
        fold,
        search_near_duplicates,
        {"source": "other"},
        ("train", "validation", "test"),
        ("fold-0/cases/other",),
        "other",
        guards=True,
    )
    found = []
    monkeypatch.setattr(folder, "near_duplicates", lambda made, held_out, **_: found if len(made) == 1 else [])
    found.append(near(0.97))
    with pytest.raises(LeakageError, match=r"1 of 1 cases show held-out subjects: flair of 'a' is nearly that of 'b'"):
        perform(task, {"fold-0/cases/other": record}, Silent())
    found.clear()
    done = perform(task, {"fold-0/cases/other": record}, Silent())
    held_out = len(SPLIT.validation) + len(SPLIT.test)
    assert (done.made, done.details) == ({}, {"searched": 1, "held_out": held_out})


def test_the_contents_of_a_folder_decide_not_its_place(tmp_path):
    """Another byte or name is another content; a missing folder is named."""
    for name, text in (("one", "a"), ("two", "a"), ("three", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scan.txt").write_text(text)
    one, two, three = (content_of(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three
    with pytest.raises(InputFileError, match="no such folder; expected a folder of cases that a source names"):
        content_of(tmp_path / "gone")
