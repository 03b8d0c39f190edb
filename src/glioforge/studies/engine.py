"""Run a study: every task as soon as what it needs is done, then the results table and the page."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from glioforge.compute import Job, described, run_graph
from glioforge.core import Progress, Silent
from glioforge.studies.base import StudySpec
from glioforge.studies.fold import Fold, Study
from glioforge.studies.given import prepared_folds
from glioforge.studies.lock import KEYS, TestLock, lock_of, settings_hash
from glioforge.studies.perform import perform, step_of
from glioforge.studies.question import planned, write_page
from glioforge.studies.record import Record
from glioforge.studies.results import keep_results, read_study_results
from glioforge.studies.study import describe, open_study, read_study, require_finished
from glioforge.studies.task import Task


def run_study(
    spec: StudySpec,
    out: Path,
    *,
    data: Path | None = None,
    store: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Run a study of any kind, or go on with it where it stood.

    Args:
        spec: Complete settings, from `load_study`.
        out: Folder of the study; the same settings must be given to go on in it.
        data: Folder of scans or of an ingested cohort, where the study reads one.
        store: Folder of finished tasks that several studies share, so that a model or a cohort that two of them need
            is made once; a folder of this study alone unless given.
        progress: Where to show progress.

    Returns:
        The report, one HTML file.

    Raises:
        OutputError: The folder belongs to a study with other settings, or was made by another version.
        LeakageError: A test subject contributed to a training input.
        InputFileError: A copy of the test lock is damaged.
        GlioforgeError: Whatever is wrong with the scans or the settings, or the first error of a task: what does not
            need that task has been done and is kept.
    """
    progress = progress or Silent()
    study, given, step = open_study(spec, out, data, store, progress)
    with step:
        progress.say(described(study.spec.accelerator))
        describe(study)
        folds = prepared_folds(study, given, progress)
        tasks = planned(study.spec, folds)
        lock = _lock_of(study, folds, data, progress)
        jobs = {task.name: Job(partial(_performed, lock, task), task.needs) for task in tasks}
        done = dict(run_graph(jobs, study.spec.parallel, progress=progress))
        if any(task.evaluates for task in tasks):
            lock.look()
        lock.standing().write(out)
        page = write_page(keep_results(study, [done[task.name] for task in tasks]))
        step.finish({"tasks": len(tasks)})
    return page


def _lock_of(study: Study, folds: Sequence[Fold], data: Path | None, progress: Progress) -> TestLock:
    """Lock over the test scans of all folds, with the study registered for them."""
    tested = dict.fromkeys(case_id for fold in folds for case_id in fold.tested)
    return lock_of(
        [study.source[case_id] for case_id in tested],
        study=settings_hash(study.spec),
        name=study.spec.name,
        title=study.spec.title,
        keys_file=study.root / KEYS,
        beside=data,
        progress=progress,
    ).registered(progress)


def _performed(lock: TestLock, task: Task, needs: Mapping[str, Record], progress: Progress) -> Record:
    """Do a task; the first that scores a test scan notes the look before it does."""
    left_out = any(record.left_out for record in needs.values())
    if task.evaluates and not left_out and not step_of(task, needs).done:
        lock.look()
    return perform(task, needs, progress)


def write_report(out: Path, *, progress: Progress | None = None) -> Path:
    """Write the report of a finished study again; nothing is trained.

    Raises:
        InputFileError: The folder holds no finished study, or one of another version.
    """
    study = read_study(out)
    require_finished(study)
    (progress or Silent()).say("reading results")
    return write_page(read_study_results(study))
