"""Promises of `studies.perform`: a task is done once, in its own folder, and never with a test subject behind it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from glioforge.core.errors import LeakageError, OutputError
from glioforge.core.lineage import Lineage
from glioforge.io.run_folder import DONE, Step
from glioforge.studies.perform import finished_record, step_of
from toy_study import HOW, Work, toy_fold, with_leak


def test_a_task_is_done_once_and_recorded(tmp_path):
    """Its place is a link to its folder in the store; the second time its record is read."""
    work, fold = Work(), toy_fold(tmp_path)
    task = work.task(fold, "fold-0/scores", arm="real", seed=2)

    first, again = work.do(task), work.do(task)

    assert work.done == ["fold-0/scores"]
    assert first == again
    (row,) = first.rows
    assert (row.study, row.arm, row.fold, row.seed, row.value) == ("toy", "real", 0, 2, 0.5)
    assert first.cost.seconds >= 0
    place = tmp_path / "fold-0" / "scores"
    assert place.is_symlink()
    assert place.resolve().parent == tmp_path / "tasks"
    assert (place / "file").read_text() == "made"


def test_two_studies_with_one_store_make_the_same_task_once(tmp_path):
    """Each has its own link and its own name in the rows; so has another arm of the same content."""
    work, store = Work(), tmp_path / "store"
    one, two = (toy_fold(tmp_path / name, store, name) for name in ("one", "two"))
    records = [work.do(work.task(fold, "fold-0/scores", arm="real")) for fold in (one, two)]
    records.append(work.do(replace(work.task(two, "fold-0/scores"), name="fold-0/other", arm="other")))

    assert work.done == ["fold-0/scores"]
    assert [record.rows[0].study for record in records] == ["one", "two", "two"]
    assert [record.rows[0].arm for record in records] == ["real", "real", "other"]
    assert len({(tmp_path / name / "fold-0" / "scores").resolve() for name in ("one", "two")}) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda task: replace(task, key={**task.key, "steps": 3}),
        lambda task: replace(task, inputs=("train",)),
        lambda task: replace(task, fold=fewer(task.fold)),
    ],
)
def test_what_decides_the_outcome_decides_the_folder(tmp_path, change):
    """Settings, sides that are read, and their contents."""
    task = Work().task(toy_fold(tmp_path), "fold-0/a")
    changed = change(task)

    assert step_of(task, {}).folder == step_of(Work().task(toy_fold(tmp_path), "fold-0/a"), {}).folder
    assert step_of(changed, {}).folder != step_of(task, {}).folder


def fewer(fold):
    """The fold with one training case less."""
    train = fold.split.train
    return replace(fold, planned=replace(fold.split, train=replace(train, cases=train.cases[1:])))


def test_what_needed_tasks_made_decides_the_folder(tmp_path):
    """Their costs and notes do not."""
    work, fold = Work(), toy_fold(tmp_path)
    need = work.do(work.task(fold, "fold-0/a"))
    task = work.task(fold, "fold-0/b", needs=("fold-0/a",))
    slower, other = replace(need, cost=None, notes=("slow",)), replace(need, made={"kept": []})

    places = [step_of(task, {"fold-0/a": record}).folder for record in (need, slower, other)]
    assert places[0] == places[1]
    assert places[2] != places[0]


def test_a_place_with_a_task_of_other_settings_is_refused(tmp_path):
    """With the setting that differs; what is there stays."""
    work, fold = Work(), toy_fold(tmp_path)
    work.do(work.task(fold, "fold-0/a"))

    with pytest.raises(OutputError, match=r"settings.steps was absent, is now 3"):
        work.do(work.task(fold, "fold-0/a", key={"steps": 3}))
    assert (tmp_path / "fold-0" / "a" / "file").exists()


def test_a_leak_stops_a_task_before_it_begins(tmp_path):
    """Through a side that it reads, or through a model that it needs; also where its folder is done."""
    work, fold = Work(), toy_fold(tmp_path)
    task = work.task(fold, "fold-0/a")
    record = work.do(task)
    tested = fold.split.test.cases[0].subject_id

    with pytest.raises(LeakageError, match=tested):
        work.do(replace(task, fold=with_leak(fold)))
    scores = work.task(fold, "fold-0/b", needs=("fold-0/a",), inputs=("test",))
    with pytest.raises(LeakageError, match="fold-0/a was made from subjects"):
        work.do(scores, a=replace(record, lineage=Lineage.real("toy", tested)))
    assert work.done == ["fold-0/a"]


def test_records_name_every_subject_behind_a_task(tmp_path):
    """Those of its sides and of what it needs; a task that evaluates stands behind nothing."""
    work, fold = Work(), toy_fold(tmp_path)
    model = work.do(work.task(fold, "fold-0/a", inputs=("validation",)))
    cases = work.do(work.task(fold, "fold-0/b", inputs=("train",), needs=("fold-0/a",)), a=model)
    scores = work.do(work.task(fold, "fold-0/c", inputs=("test",), needs=("fold-0/b",)), b=cases)

    assert set(model.lineage.subjects) == set(fold.split.validation.subject_ids)
    assert set(cases.lineage.subjects) == {*fold.split.validation.subject_ids, *fold.split.train.subject_ids}
    assert scores.lineage is None


def test_a_failed_task_leaves_no_record_and_is_done_again(tmp_path):
    """What it needs is kept."""
    work, fold = Work(failing={"fold-0/b"}), toy_fold(tmp_path)
    first, second = work.task(fold, "fold-0/a"), work.task(fold, "fold-0/b", needs=("fold-0/a",))
    record = work.do(first)
    with pytest.raises(RuntimeError, match="bidden"):
        work.do(second, a=record)
    assert finished_record(second, {"fold-0/a": record}) is None
    work.failing.clear()
    work.do(second, a=work.do(first))

    assert work.done == ["fold-0/a", "fold-0/b", "fold-0/b"]
    assert finished_record(second, {"fold-0/a": record}).rows
    assert finished_record(second, {}) is None


def test_two_at_once_make_a_task_once(tmp_path):
    """The second waits for the lock of the folder, and then reads what the first one made."""
    work, fold = Work(seconds=0.2), toy_fold(tmp_path)
    tasks = [work.task(fold, "fold-0/a", arm="real"), replace(work.task(fold, "fold-0/a"), name="fold-0/b", arm="more")]
    with ThreadPoolExecutor(2) as pool:
        records = list(pool.map(work.do, tasks))

    assert len(work.done) == 1
    assert [record.rows[0].arm for record in records] == ["real", "more"]
    assert (tmp_path / "fold-0" / "a").resolve() == (tmp_path / "fold-0" / "b").resolve()


def test_damage_is_found_where_a_task_says_how(tmp_path):
    """The task is done again."""
    work, fold = Work(), toy_fold(tmp_path)
    task = replace(work.task(fold, "fold-0/a"), intact=lambda folder: (folder / "file").exists())
    work.do(task)
    (tmp_path / "fold-0" / "a" / "file").unlink()

    assert work.do(task).rows
    assert work.done == ["fold-0/a"] * 2


def test_what_needs_a_task_that_was_left_out_is_left_out(tmp_path):
    """With the same reason, and without a folder."""
    work, fold = Work(), toy_fold(tmp_path)
    empty = replace(work.do(work.task(fold, "fold-0/a")), left_out="nothing to score")

    assert work.do(work.task(fold, "fold-0/b", needs=("fold-0/a",)), a=empty).left_out == "nothing to score"
    assert not (tmp_path / "fold-0" / "b").exists()


def test_a_copy_without_links_goes_on_where_it_lies(tmp_path):
    """Copies by tools that follow links have real folders in their stead."""
    work, fold = Work(), toy_fold(tmp_path)
    task = work.task(fold, "fold-0/a")
    work.do(task)
    place = tmp_path / "fold-0" / "a"
    folder = place.resolve()
    place.unlink()
    folder.rename(place)

    assert work.do(task).rows
    assert work.done == ["fold-0/a"]


def test_a_folder_remembers_precision_and_threads(tmp_path):
    """As every run folder does; more threads leave the folder what it is."""
    work, fold = Work(), toy_fold(tmp_path)
    task = work.task(fold, "fold-0/a")
    work.do(task)
    kept = Step.kept_in(tmp_path / "fold-0" / "a")
    spec = fold.study.spec.model_copy(update={"accelerator": HOW.model_copy(update={"threads": 2})})
    threads = replace(task, fold=replace(fold, study=replace(fold.study, spec=spec)))

    assert kept == {"precision": "32-true", "threads": 1}
    assert step_of(threads, {}).done
    assert (tmp_path / "fold-0" / "a" / DONE).exists()
