"""Find, open and check every scan of a folder, and make a cohort of them.

Every file is read once and every problem is reported at once, so that a data
set is corrected in one round.  `ingest` only reads; it writes no file.  Cohorts of one
scheme are joined into one `cohort.json`, again without copying an image.
"""

from collections.abc import Iterable, Sequence
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

from glioforge.compute import ParallelSpec, fan_out
from glioforge.config import Spec
from glioforge.core import (
    CaseReader,
    CaseRef,
    Cohort,
    CohortError,
    GlioforgeError,
    InputFileError,
    LabelError,
    LabelScheme,
    LabelSource,
    Lineage,
    Modality,
    Progress,
    Silent,
    counted,
    preparations_of,
    scheme_named,
    select_cases,
    shortened,
)
from glioforge.io.case_check import CheckedCase, check_case, id_problems, missing_files, same_images
from glioforge.io.case_search import find_cases, select_found
from glioforge.io.cohort_file import COHORT_FILE, read_cohort, reader_for, write_cohort
from glioforge.io.digest import case_digest
from glioforge.io.folder_kind import require_other_folder
from glioforge.io.layout import LayoutSpec
from glioforge.io.nifti_reader import NiftiReader
from glioforge.io.run_folder import Step
from glioforge.io.scheme_detection import detect_scheme, require_known_values
from glioforge.io.scheme_evidence import Evidence, evidence_of, stated_scheme
from glioforge.io.tables import write_csv

_SHOWN = 20


def ingest(  # noqa: PLR0913 - how a folder is read, by keyword
    folder: Path,
    layout: Spec | None = None,
    *,
    require: Iterable[Modality] | None = None,
    register_to: Modality | None = None,
    scheme: str | None = None,
    where: Iterable[str] = (),
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Check every scan of a folder and return the cohort they make.

    Args:
        folder: Folder of scans; it is only read.
        layout: How the folder is laid out; detected unless given.
        require: Contrasts that every case must have; all that any case has unless given.
        register_to: Contrast onto whose grid the others of a case are registered when it is loaded, where they
            lie on another; what the layout says unless given, and no such case is taken where that says none.
        scheme: Name of the label scheme, or a text as in `core.scheme_text`; decided by names and values unless
            given here or by the layout (see `io.scheme_detection`).
        where: Conditions on the cases to take (see `core.selection`); those on facts that names of folders and tables
            give are decided before any image is read, so that other cases are not checked.
        parallel: How the work over cases is spread; one process unless given.
        progress: Where to show progress; nowhere unless given.

    Raises:
        InputFileError: The folder is missing, no case is found, or files are
            damaged, incomplete, contradictory or there twice; every problem is
            listed with its case, file and remedy.
        CohortError: No case fulfils the conditions.
        LabelError: Names and values do not tell the label scheme, or there is none of this name.
        SpecError: The layout states another scheme.
    """
    place = find_cases(folder, layout)
    root = place.root
    found, left = select_found(place.cases, where, root.name)
    for line in place.lines():
        (progress or Silent()).say(line)
    problems = [*id_problems(found), *missing_files(found, require)]
    if register_to is None and isinstance(layout, LayoutSpec):
        register_to = layout.register_to
    check = partial(check_case, root=place.bounds, register_to=register_to)
    checked = list(fan_out(check, found, parallel, title="checking scans", progress=progress))
    for case in checked:
        problems += [(case.found.case_id, error) for error in case.problems]
    problems += same_images(checked, root)
    evidence = evidence_of(checked, root)
    stated = stated_scheme(layout, scheme)
    _raise(problems, folder, len(found))
    names = [] if evidence else evidence_of(checked, root, unlabelled=True)
    source = _decided(evidence or names, stated, folder)
    _raise(require_known_values(evidence, source), folder, len(found))
    for note in [f"{case.found.case_id}: {note}" for case in checked for note in case.notes]:
        (progress or Silent()).say(note)
    own = scheme_named(source.scheme)
    cases = tuple(_reference(case, own, root, register_to) for case in checked)
    known = bool(evidence or stated) or any(case.hint for case in names)
    return select_cases(Cohort(root.name, cases, own, source if known else None), left)


def _decided(evidence: Sequence[Evidence], stated: str | None, folder: Path) -> LabelSource:
    """The scheme, with the folder in the message where it is asked."""
    try:
        return detect_scheme(evidence, stated)
    except LabelError as error:
        raise LabelError(error.found, error.expected, error.remedy, folder) from error


def _raise(problems: Sequence[tuple[str, GlioforgeError]], folder: Path, cases: int) -> None:
    """Report all problems together, if there are any."""
    if not problems:
        return
    below = f"{folder.resolve()}/"
    said = shortened([f"{case_id}: {str(error).removeprefix(below)}" for case_id, error in problems], _SHOWN)
    lines = [f"  {line}" for line in said]
    concerned = len({case_id for case_id, _ in problems})
    raise InputFileError(
        "\n".join([f"{counted(len(problems), 'problem')} in {concerned} of {counted(cases, 'case')}", *lines]),
        where=folder,
    )


def _reference(case: CheckedCase, scheme: LabelScheme, root: Path, register_to: Modality | None) -> CaseRef:
    """The checked case as a reference to its files."""
    found, sidecar = case.found, case.sidecar
    channels = {str(modality): number for modality, number in found.channels.items()}
    reader: CaseReader = NiftiReader(channels=channels)
    digest = case.digest
    if case.elsewhere:
        reader = reader_for("aligned", {"reference": str(register_to), "channels": channels})
        digest = case_digest({"files": digest, "register_to": str(register_to)})
    subject_id = (sidecar.subject_id if sidecar else None) or found.subject_id
    facts: dict[str, Any] = {**found.facts, **(sidecar.facts if sidecar else {})}
    if case.label_counts is not None:
        tumour = scheme.region_values("WT") if "WT" in scheme.regions else scheme.lesion_values
        voxels = sum(case.label_counts.get(value, 0) for value in tumour)
        facts["tumour_ml"] = round(voxels * case.voxel_volume / 1000, 6)
    return CaseRef(
        found.case_id,
        subject_id,
        found.images,
        scheme.name,
        sidecar.lineage if sidecar else Lineage.real(root.name, subject_id),
        digest,
        reader,
        found.labels,
        found.brain,
        (sidecar.session if sidecar else None) or found.session,
        facts,
    )


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
    with Step(out, key, writes=(COHORT_FILE,)) as step:
        write_cohort(cohort, out)
        passed = find_cases(folder, layout).passed
        write_csv(out / PASSED, ("path", "reason"), [{"path": str(p.path), "reason": p.kind} for p in passed])
        if not step.done:
            step.finish({"cases": len(cohort), "fingerprint": cohort.fingerprint})
    return cohort


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
    with Step(out, key, writes=(COHORT_FILE,)) as step:
        write_cohort(joined, out)
        if not step.done:
            step.finish({"cases": len(joined), "fingerprint": joined.fingerprint})
    return joined
