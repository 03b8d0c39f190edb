"""Run a study: every task as soon as what it needs is done, then the results table and the page."""

from functools import partial
from pathlib import Path

from glioforge.compute.accelerator import described
from glioforge.compute.schedule import Job, run_graph
from glioforge.core.protocols import Progress, Silent
from glioforge.studies.base import StudySpec
from glioforge.studies.cohorts import prepared_folds
from glioforge.studies.perform import perform
from glioforge.studies.question import planned, write_page
from glioforge.studies.results import keep_results, read_study_results
from glioforge.studies.study import describe, open_study, read_study
from glioforge.studies.unfinished import require_finished


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
        GlioforgeError: Whatever is wrong with the scans or the settings, or the first error of a task: what does not
            need that task has been done and is kept.
    """
    progress = progress or Silent()
    study, given, step = open_study(spec, out, data, store, progress)
    with step:
        progress.say(described(study.spec.accelerator))
        describe(study)
        tasks = planned(study.spec, prepared_folds(study, given, progress))
        jobs = {task.name: Job(partial(perform, task), task.needs) for task in tasks}
        done = dict(run_graph(jobs, study.spec.parallel, progress=progress))
        page = write_page(keep_results(study, [done[task.name] for task in tasks]))
        step.finish({"tasks": len(tasks)})
    return page


def write_report(out: Path, *, progress: Progress | None = None) -> Path:
    """Write the report of a finished study again; nothing is trained.

    Raises:
        InputFileError: The folder holds no finished study, or one of another version.
    """
    study = read_study(out)
    require_finished(study)
    (progress or Silent()).say("reading results")
    return write_page(read_study_results(study))
