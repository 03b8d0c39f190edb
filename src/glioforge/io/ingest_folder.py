"""Ingest a folder of scans into a folder of its own, once for the same scans and settings."""

from collections.abc import Iterable
from pathlib import Path

from glioforge.compute.parallel import ParallelSpec
from glioforge.config.spec import Spec
from glioforge.core.cohort import Cohort
from glioforge.core.modality import Modality
from glioforge.core.protocols import Progress
from glioforge.io.cohort_file import NAME, write_cohort
from glioforge.io.csv_table import write_csv
from glioforge.io.find_cases import find_cases
from glioforge.io.folder_kind import require_other_folder
from glioforge.io.ingest import ingest
from glioforge.io.run_folder import Step

PASSED = "passed_over.csv"
"""File that lists everything that was passed over, with the reason."""


def ingest_folder(  # noqa: PLR0913 - how a folder is read, by keyword
    folder: Path,
    out: Path,
    layout: Spec | None = None,
    *,
    require: Iterable[Modality] | None = None,
    register_to: Modality | None = None,
    scheme: str | None = None,
    where: Iterable[str] = (),
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Check every scan of a folder and write the cohort as `cohort.json`; the same call again changes nothing.

    Args:
        folder: Folder of scans; it is only read.
        out: Folder of the cohort; also gets `passed_over.csv`.
        layout: How the folder is laid out; detected unless given.
        require: Contrasts that every case must have, as for `ingest`; none at all takes cases that lack some.
        register_to: Contrast onto whose grid the others of a case are registered.
        scheme: Label scheme, as for `ingest`.
        where: Conditions on the cases to take, as for `ingest`.
        parallel: How the work over cases is spread; one process unless given.
        progress: Where to show progress; nowhere unless given.

    Raises:
        InputFileError, LabelError: As `ingest`.
        OutputError: The folder is that of the scans, holds a cohort of other scans or settings, or cannot be written.
    """
    require_other_folder(out, folder)
    cohort = ingest(
        folder,
        layout,
        require=require,
        register_to=register_to,
        scheme=scheme,
        where=where,
        parallel=parallel,
        progress=progress,
    )
    key = {
        "verb": "ingest",
        "folder": str(folder.resolve()),
        "layout": None if layout is None else layout.model_dump(mode="json"),
        "register_to": None if register_to is None else str(register_to),
        "scheme": cohort.scheme.name,
        "cases": {ref.case_id: ref.digest for ref in cohort},
    }
    with Step(out, key, writes=(NAME,)) as step:
        write_cohort(cohort, out)
        passed = find_cases(folder, layout).passed
        write_csv(out / PASSED, ("path", "reason"), [{"path": str(p.path), "reason": p.kind} for p in passed])
        if not step.done:
            step.finish({"cases": len(cohort), "fingerprint": cohort.fingerprint})
    return cohort
