"""What a study that is not finished still lacks."""

import shlex

from glioforge.core import InputFileError, counted
from glioforge.io import COHORT_FILE
from glioforge.studies.cohorts import planned_folds
from glioforge.studies.fold import SOURCE, Study, cohort_in
from glioforge.studies.perform import finished_record
from glioforge.studies.question import planned
from glioforge.studies.record import Record
from glioforge.studies.results import RECORDS

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
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    lacks = f"{counted(len(missing), 'task')} missing: {', '.join(missing[:_SHOWN])}{more}"
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
