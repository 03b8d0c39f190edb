"""Prepare a cohort: one grid, one intensity scale, complete label maps, kept in the store.

Every case goes the same way: brain mask, orientation and grid, intensities,
normal tissue.  A case that lies finished in the output folder is not made
again; a damaged one is.  The key of the folder is the spec and the size of the
grid, the key of a case its digest, so that cases can be added later.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import (
    PREPARATION,
    CaseRef,
    Cohort,
    CohortError,
    Index,
    InputFileError,
    Modality,
    Progress,
    Silent,
    in_standard_order,
    listed,
    scheme_named,
)
from glioforge.data import CASES, find_case, write_case
from glioforge.data.preparation.fitting import misfits, require_same_contrasts
from glioforge.data.preparation.grades import PLAUSIBLE, TITLES, summary
from glioforge.data.preparation.grid import common_size
from glioforge.data.preparation.one_case import prepare_case
from glioforge.data.preparation.spec import GridSpec, PrepareSpec
from glioforge.data.preparation.survey import (
    Survey,
    file_hashes,
    known_of,
    measured,
    note_sources,
    require_unchanged,
    stamps_of,
)
from glioforge.io import Step, require_no_loss, write_cohort, write_json

__all__ = ["GridSpec", "PrepareSpec", "preparation_hash", "prepare", "prepare_case"]

FORMAT = 4
"""Rises when preparation changes, so that old folders are not mixed with new ones."""
SURVEY = "survey"
PREPARE_REPORT = "prepare.json"


def prepare(
    cohort: Cohort,
    spec: PrepareSpec,
    out: Path,
    *,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Prepare every case of a cohort into the store at `out`.

    The same call goes on where it stopped, makes nothing twice, and rebuilds
    damaged cases.  The bytes do not depend on the number of workers.

    Args:
        cohort: Real or phantom cases; their files are not changed.
        spec: What to do.
        out: Folder of the prepared cohort: `cases/`, `cohort.json`, `prepare.json`.
        parallel: How the work is spread over processes.
        progress: Where to show progress.

    Raises:
        CohortError: The cohort is empty or has no contrast in common.
        OutputError: The folder was made with other settings, holds cases that this cohort lacks, or cannot be written.
        CaseError, InputFileError: A case cannot be read or holds no brain, or its files have changed since they were
            ingested.
    """
    progress = progress or Silent()
    modalities = require_preparable(cohort, spec, out)
    size = spec.grid.size or _fitted_size(cohort, spec, out, parallel, progress)
    described = spec.model_dump(mode="json")
    key = {"format": FORMAT, "spec": described, "modalities": list(modalities), "size": list(size), **file_hashes(spec)}
    with Step(out, key, wait_s=600) as step:
        jobs = [_Job(ref, spec, _present(ref, modalities), size, out / CASES) for ref in cohort]
        refs = []
        for ref, lines in fan_out(_prepare_one, jobs, parallel, title="preparing", progress=progress):
            refs.append(ref)
            for line in lines:
                progress.say(line)
        prepared = Cohort(cohort.name, tuple(refs), spec.scheme_of(cohort.scheme), cohort.source, out)
        for line in misfits(prepared):
            progress.say(line)
        write_cohort(prepared, out)
        report = {ref.case_id: ref.facts["prepared"] for ref in refs}
        for line in _graded(report.values()):
            progress.say(line)
        write_json(out / PREPARE_REPORT, {"key": key, "cohort": cohort.fingerprint, "cases": report})
        step.finish({"cases": len(refs), "fingerprint": prepared.fingerprint})
    return prepared


def require_preparable(cohort: Cohort, spec: PrepareSpec, out: Path) -> tuple[Modality, ...]:
    """Return the contrasts that `prepare` would keep, in standard order; no scan is read and nothing is written.

    Args:
        cohort: Cases to prepare.
        spec: What to do.
        out: Folder of the prepared cohort.

    Raises:
        CohortError: The cohort is empty or has no contrast in common.
        OutputError: The folder holds cases that this cohort lacks.
    """
    require_no_loss(out, (ref.case_id for ref in cohort))
    return _modalities(cohort, spec)


@final
@dataclass(frozen=True)
class _Job:
    """One case to prepare."""

    ref: CaseRef
    spec: PrepareSpec
    modalities: tuple[Modality, ...]
    size: Index
    store: Path

    @property
    def key(self) -> str:
        """What the prepared case depends on."""
        described = {**self.spec.model_dump(mode="json"), **file_hashes(self.spec)}
        values = [FORMAT, self.ref.digest, described, self.modalities, self.size]
        return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()


def _prepare_one(job: _Job) -> tuple[CaseRef, list[str]]:
    """Prepare a case unless it lies finished in the store; returns lines to tell the user."""
    lines = []
    try:
        found = find_case(job.store, job.ref.case_id)
    except InputFileError as error:
        lines.append(f"{job.ref.case_id}: damaged, made again ({error.found})")
        found = None
    notes = job.store.parent / SURVEY
    if found is not None and found.facts.get("prepared", {}).get("key") == job.key:
        require_unchanged(notes, job.ref)
        return found, lines
    if found is not None:
        lines.append(f"{job.ref.case_id}: its scans have changed since it was prepared; prepared again")
    stamps = stamps_of(job.ref)
    known = known_of(Survey(job.ref, job.spec, job.store.parent / SURVEY))
    scheme = job.spec.scheme_of(scheme_named(job.ref.scheme))
    case = prepare_case(job.ref.load(), job.spec, job.modalities, job.size, known, scheme=scheme)
    prepared = {**case.facts["prepared"], "key": job.key}
    facts = {**case.facts, "prepared": prepared, PREPARATION: preparation_hash(job.spec)}
    lines += [f"{case.case_id}: {warning}" for warning in facts["prepared"]["warnings"]]
    written = write_case(job.store, replace(case, facts=facts))
    note_sources(notes, job.ref, stamps)
    return written, lines


def _graded(prepared: Iterable[Mapping[str, Any]]) -> list[str]:
    """Lines with the grades of a cohort's tissue maps; none where no case has any."""
    found = [facts["tissue"]["grades"] for facts in prepared if "tissue" in facts]
    return [
        f"tissue maps, {TITLES[name]}: median {s['median']:g}, {s['min']:g} to {s['max']:g}; "
        f"plausible ({PLAUSIBLE[name][0]:g} to {PLAUSIBLE[name][1]:g}) in {s['plausible']} of {s['cases']}"
        for name, s in summary(found).items()
    ]


def preparation_hash(spec: PrepareSpec) -> str:
    """Hash the settings that decide what a voxel means: all but the contrasts kept and the size around the brain.

    Example:
        >>> preparation_hash(PrepareSpec()) == preparation_hash(PrepareSpec(grid=GridSpec(margin=5)))
        True
        >>> preparation_hash(PrepareSpec()) == preparation_hash(PrepareSpec(allow_missing=True))
        True
        >>> preparation_hash(PrepareSpec()) == preparation_hash(PrepareSpec(grid=GridSpec(spacing_mm=2.0)))
        False
    """
    described = spec.model_dump(mode="json", exclude={"modalities", "allow_missing"})
    if spec.grid.window is None:
        described["grid"] = {k: v for k, v in described["grid"].items() if k not in ("size", "margin", "multiple")}
    values = [FORMAT, described, sorted(file_hashes(spec).get("files", {}).values())]
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()


def _modalities(cohort: Cohort, spec: PrepareSpec) -> tuple[Modality, ...]:
    """Contrasts to keep, in standard order."""
    if not len(cohort):
        raise CohortError("no cases to prepare", "at least one", "check the folder and its layout", cohort.where)
    if not any(ref.images for ref in cohort) and cohort.scheme.is_complete:
        return ()
    if spec.allow_missing:
        return _any_contrasts(cohort, spec)
    if spec.modalities is None:
        require_same_contrasts(cohort, "keep all with allow_missing: true (--allow-missing), or name `modalities`")
    wanted = cohort.modalities if spec.modalities is None else tuple(m for m in Modality if m in spec.modalities)
    missing = sorted(set(wanted) - set(cohort.modalities))
    if missing or not wanted:
        raise CohortError(
            f"contrasts that every case has: {[str(m) for m in cohort.modalities]}",
            f"{[str(m) for m in wanted] or 'at least one'}",
            "name only contrasts that every case has, leave the others' cases out, or set allow_missing: true",
            cohort.where,
        )
    return wanted


def _any_contrasts(cohort: Cohort, spec: PrepareSpec) -> tuple[Modality, ...]:
    """Contrasts to keep where cases may lack some of them, but not all."""
    known = {m for ref in cohort for m in ref.images}
    wanted = in_standard_order(known if spec.modalities is None else set(spec.modalities))
    bare = [ref.case_id for ref in cohort if not _present(ref, wanted)]
    if bare:
        raise CohortError(
            f"cases without any of {[str(m) for m in wanted]}: {listed(bare)}",
            "at least one contrast in every case",
            "leave these cases out",
            cohort.where,
        )
    return wanted


def _present(ref: CaseRef, modalities: tuple[Modality, ...]) -> tuple[Modality, ...]:
    """Those of some contrasts that a case has."""
    return tuple(m for m in modalities if m in ref.images)


def _fitted_size(
    cohort: Cohort, spec: PrepareSpec, out: Path, parallel: ParallelSpec | None, progress: Progress
) -> Index:
    """Smallest grid that holds every brain of the cohort; boxes already measured are not measured again."""
    surveys = [Survey(ref, spec, out / SURVEY) for ref in cohort]
    extents = list(fan_out(measured, surveys, parallel, title="measuring brains", progress=progress))
    return common_size(extents, spec.grid.spacing, spec.grid.margin, spec.grid.multiple)
