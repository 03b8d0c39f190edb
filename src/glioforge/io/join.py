"""Joins cohorts of one scheme into one `cohort.json`; no image is copied."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.preparation import preparations_of
from glioforge.io.cohort_file import NAME, read_cohort, write_cohort
from glioforge.io.run_folder import Step


def join_cohorts(folders: Sequence[Path], out: Path) -> Cohort:
    """Join the cohorts of some folders and write the outcome as `cohort.json`; the same call again changes nothing.

    The files stay where they are.  A subject id that two cohorts hold means one
    person, who is never divided between training and test.

    Args:
        folders: At least two folders with a `cohort.json`.
        out: Folder of the joined cohort.

    Raises:
        CohortError: Fewer than two folders, schemes or preparations differ, or a case id is in two of them.
        InputFileError: A cohort cannot be read.
        OutputError: The folder holds another cohort, or cannot be written.
    """
    if len(folders) < 2:
        raise CohortError(f"{len(folders)} cohort to join", "at least two", "name their folders")
    cohorts = [read_cohort(folder) for folder in folders]
    try:
        joined = reduce(add, cohorts)
    except CohortError as error:
        where = " and ".join(map(str, folders))
        raise CohortError(error.found, error.expected, error.remedy, where) from error
    kinds = preparations_of(joined)
    if len(kinds) > 1 or (kinds and not all(preparations_of(cohort) for cohort in cohorts)):
        raise CohortError(
            f"cohorts with {max(len(kinds), 2)} different preparations: {', '.join(map(str, folders))}",
            "cohorts that were prepared with the same settings, or none that was prepared",
            "prepare them alike: voxel size, intensities and tissue must mean the same",
        )
    key = {"verb": "join", "cohorts": [cohort.fingerprint for cohort in cohorts]}
    with Step(out, key, writes=(NAME,)) as step:
        write_cohort(joined, out)
        if not step.done:
            step.finish({"cases": len(joined), "fingerprint": joined.fingerprint})
    return joined
