"""The folder of a whole study: opened for a run, locked, described, read again for its report; what it still lacks."""

import shlex
from pathlib import Path
from typing import Final

from glioforge.core import Cohort, InputFileError, Progress, counted, listed
from glioforge.io import COHORT_FILE, STUDY, Step, kept_of, read_json, require_kind, run_facts, settled, write_json
from glioforge.studies.base import StudySpec
from glioforge.studies.fold import SOURCE, Study, cohort_in
from glioforge.studies.given import planned_folds, read_given
from glioforge.studies.perform import finished_record
from glioforge.studies.question import parse_study, planned
from glioforge.studies.record import Record
from glioforge.studies.results import RECORDS
from glioforge.studies.store import STORE

VERSION: Final = 3
"""Version of study folders; rises when older ones cannot be read."""
DESCRIPTION: Final = "study.json"


def open_study(
    spec: StudySpec, out: Path, data: Path | None, store: Path | None, progress: Progress
) -> tuple[Study, Cohort | None, Step]:
    """Return a study with the precision and threads that its folder began with, its cases, and its step.

    Nothing is written, so that a study that cannot be run leaves nothing behind.

    Args:
        spec: Complete settings.
        out: Folder of the study.
        data: Folder of scans or of an ingested cohort, where the study reads one.
        store: Folder of finished tasks; one within `out` unless given.
        progress: Where to show progress.

    Raises:
        OutputError: The folder belongs to a study with other settings, or was made by another version.
        DependencyError: A method needs a program that is not installed.
        GlioforgeError: Whatever is wrong with the scans or the settings (see `given.read_given`).
    """
    given = read_given(spec, data, progress)
    spec = spec.model_copy(update={"accelerator": settled(spec.accelerator, out)})
    scans = "phantoms" if given is None else given.fingerprint
    key = {"version": VERSION, "study": spec.identity(), "scans": scans}
    step = Step(out, key, kept=kept_of(spec.accelerator))
    if not step.done:
        spec.require_available()
    return Study(spec, out, store or out / STORE), given, step


def describe(study: Study) -> None:
    """Write settings and versions into the study's folder."""
    # Arms are shown in the order in which the study lists them, also when its report is written again.
    values = {"version": VERSION, "spec": study.spec.model_dump(mode="json"), "made_with": run_facts()}
    write_json(study.root / DESCRIPTION, values, in_order=True)


def read_study(out: Path) -> Study:
    """Return the study of a folder.

    Raises:
        InputFileError: The folder holds no study, or one of another version.
    """
    require_kind(out, STUDY)
    path = out / DESCRIPTION
    values = read_json(path)
    version = values.get("version", 1) if isinstance(values, dict) else 1
    if version != VERSION:
        remedy = "use the release of Glioforge that wrote it, or run the study again in another folder"
        raise InputFileError(f"a study folder of version {version}", f"version {VERSION}", remedy, path)
    return Study(parse_study(values["spec"], str(path)), out, out / STORE)


_SHOWN = 5


def require_finished(study: Study) -> None:
    """Refuse a study whose results are not written yet.

    Args:
        study: Read from its folder.

    Raises:
        InputFileError: Names the tasks that are missing, the first five of them.
    """
    if (study.root / RECORDS).is_file():
        return
    missing = missing_tasks(study)
    lacks = f"{counted(len(missing), 'task')} missing: {listed(missing, _SHOWN)}"
    raise InputFileError(
        f"the study is not finished; {lacks if missing else 'its results are not written yet'}",
        "a finished study",
        f"run it to the end with the command that began it: glioforge study YAML --out {shlex.quote(str(study.root))}",
        study.root,
    )


def missing_tasks(study: Study) -> list[str]:
    """Return the names of the tasks that are not done, in the order of the plan; the preparation where that is not.

    Args:
        study: Read from its folder.
    """
    if not (study.root / SOURCE / COHORT_FILE).is_file():
        return ["reading the cases"]
    folds, prepared = planned_folds(study, cohort_in(study.root / SOURCE))
    if not prepared:
        return ["preparing the cases"]
    known: dict[str, Record] = {}
    missing = []
    for task in planned(study.spec, folds):
        record = finished_record(task, known)
        if record is None:
            missing.append(task.name)
        else:
            known[task.name] = record
    return missing
