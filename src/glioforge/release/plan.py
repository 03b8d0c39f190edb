"""Settings of an export, and what it consists of: decided and checked before anything is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

from pydantic import Field

from glioforge.config import Spec
from glioforge.core import (
    CaseRef,
    Cohort,
    CohortError,
    LabelScheme,
    Modality,
    in_standard_order,
    name_key,
    preparations_of,
)
from glioforge.release.base import Format, Names, kept, numbered, refuse
from glioforge.release.label_values import Consecutive, consecutive, given_values, numbering, scheme_of_export, shown
from glioforge.release.record import NOTICE


@final
@dataclass(frozen=True)
class Entry:
    """One case of an export.

    Args:
        ref: The case as the cohort has it.
        shown: The same with what is written of it: the contrasts asked for, and labels only if people gave them.
        given: Values of its label map that must not be lost.
        grid: `scan`, `prepared`, or `own` for a case that was never prepared.
    """

    ref: CaseRef
    shown: CaseRef
    given: frozenset[int]
    grid: str


@final
@dataclass(frozen=True)
class Plan:
    """All that is decided about an export.

    Args:
        cohorts: Cohorts without the subjects left out; none is empty.
        entries: Their cases, in order; at least one.
        names: Names of cases and subjects.
        source: Scheme of the source's label files; none where no case has labels.
        written: The same with the values that are written; none where no case has labels.
        left_out: Number of cases left out.
    """

    cohorts: tuple[Cohort, ...]
    entries: tuple[Entry, ...]
    names: Names
    source: LabelScheme | None
    written: Consecutive | None
    left_out: int

    @property
    def shown(self) -> list[CaseRef]:
        """What is written of each case."""
        return [entry.shown for entry in self.entries]

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts that some case has, in standard order."""
        return in_standard_order({modality for ref in self.shown for modality in ref.images})


@final
class ExportSpec(Spec):
    """What is written of a cohort, and how."""

    format: Literal["nifti", "brats", "nnunet", "bids"] = "nifti"
    """Plain NIfTI folders, folders of the BraTS challenges, a raw data set of nnU-Net, or a BIDS data set."""
    grid: Literal["scan", "prepared"] = "scan"
    """Grid of prepared cases: that of the scan that they were prepared from, or the prepared one."""
    scheme: str | None = None
    """Label scheme of the label files; that of the cohorts' own label files unless given."""
    modalities: tuple[Modality, ...] | None = Field(None, min_length=1)
    """Contrasts that are written; all that a case has unless given."""
    leave_out: tuple[str, ...] = ()
    """Subjects of whom nothing is written, neither their own cases nor synthetic ones that they contributed to."""
    keep_ids: bool = False
    """Keep the ids of cases and subjects, which usually come from file names, in place of new numbers."""


def plan_export(cohorts: Sequence[Cohort], spec: ExportSpec, made: Format) -> Plan:
    """Decide on cases, names and label values.

    Args:
        cohorts: What is exported.
        spec: How.
        made: The format.

    Raises:
        CohortError: No case is left, a case is in two cohorts, a subject to leave out is unknown, or the format cannot
            hold a case.
        LabelError: Label files have several schemes, and none is asked for.
    """
    _require_known(cohorts, spec.leave_out)
    _require_contrasts(cohorts, spec.modalities or ())
    left = _left(cohorts, spec.leave_out)
    parts = [[_entry(ref, spec, given_values(cohort)) for ref in cohort] for cohort in left]
    entries = tuple(entry for part in parts for entry in part)
    _require_once(entries)
    made.require([entry.shown for entry in entries])
    refuse(
        [entry.shown for entry in entries if not entry.shown.images and entry.shown.labels is None],
        "cases of which nothing would be written",
        "an image or a label map of each",
        "name contrasts that they have (--modalities), or leave their subjects out (--leave-out)",
    )
    ids = kept if spec.keep_ids else numbered
    labelled = [cohort for cohort, part in zip(left, parts, strict=True) if any(e.shown.labels for e in part)]
    source = scheme_of_export(labelled, spec.scheme) if labelled else None
    written = None
    if source is not None:
        same = Consecutive(source, {value: value for value in source.labels.values()})
        written = consecutive(source) if made.consecutive else same
    names = made.named(ids([entry.ref for entry in entries]))
    gone = sum(map(len, cohorts)) - len(entries)
    return Plan(tuple(left), entries, names, source, written, gone)


def remarks(plan: Plan, spec: ExportSpec) -> list[str]:
    """Return lines for the user: what is left out, renamed or mixed, and the notice on synthetic cases."""
    lines = []
    synthetic = [entry for entry in plan.entries if entry.ref.lineage.is_synthetic]
    if plan.left_out:
        lines.append(
            f"{plan.left_out} cases are left out: those of {', '.join(spec.leave_out)}, and all made from them"
        )
    if plan.source is not None:
        renumbered = plan.written is not None and dict(plan.written.scheme.labels) != dict(plan.source.labels)
        if renumbered and plan.written is not None:
            how = numbering(plan.written.scheme, plan.written.values, plan.source.name)
            lines.append(f"label files: {how}; see label_values.json")
        else:
            lines.append(f"label files hold the labels of {shown(plan.source)}")
    homeless = [entry for entry in synthetic if entry.grid == "own"]
    if homeless and any(entry.grid == "scan" for entry in plan.entries):
        lines.append(
            f"{len(homeless)} synthetic cases have no scan and stay on the grid that they were made on; "
            "--grid prepared writes all cases on such grids"
        )
    imaged = [entry.ref for entry in plan.entries if entry.shown.images]
    known = preparations_of(imaged)
    if len(known) > 1 or (known and not all(preparations_of([ref]) for ref in imaged)):
        lines.append(
            "cases that were prepared with different settings, or not at all: their intensities differ in scale"
        )
    if not plan.names.renumbered:
        lines.append("ids are kept: names of the input's files and folders may be part of them")
    if synthetic:
        lines.append(f"{NOTICE} ({len(synthetic)} synthetic cases)")
    return lines


def key_of(plan: Plan, spec: ExportSpec) -> dict[str, Any]:
    """Return what the files of an export depend on, plain JSON values."""
    cohorts = [cohort.fingerprint for cohort in plan.cohorts]
    return {"verb": "export", "spec": spec.model_dump(mode="json"), "cohorts": cohorts}


def _left(cohorts: Sequence[Cohort], subjects: Sequence[str]) -> list[Cohort]:
    """Cohorts of the cases to which none of some subjects contributed; at least one case."""
    gone = frozenset(subjects)
    kept_cases = [
        replace(part, cases=tuple(ref for ref in part if not gone & {ref.subject_id, *ref.lineage.subjects}))
        for part in cohorts
    ]
    left = [part for part in kept_cases if len(part)]
    if not left:
        fewer = "leave out fewer subjects: with a subject goes every case that it contributed to"
        raise CohortError(
            f"no case to export of {', '.join(part.name for part in cohorts) or 'no cohort'}",
            "at least one case",
            fewer if subjects else "check the folder",
        )
    return left


def _require_known(cohorts: Iterable[Cohort], subjects: Iterable[str]) -> None:
    """Refuse subjects that no case has."""
    known = frozenset[str]().union(*(cohort.subjects_behind for cohort in cohorts))
    strange = sorted(set(subjects) - known)
    if strange:
        raise CohortError(
            f"subjects to leave out that no case has: {', '.join(strange[:5])}",
            f"subjects of the cohort, such as {', '.join(sorted(known)[:5])}",
            "name them as the cohort does",
        )


def _require_contrasts(cohorts: Iterable[Cohort], asked: Iterable[Modality]) -> None:
    """Refuse contrasts that no case has."""
    known = {modality for cohort in cohorts for ref in cohort for modality in ref.images}
    strange = in_standard_order(set(asked) - known)
    if strange:
        there = ", ".join(map(str, in_standard_order(known))) or "no images"
        raise CohortError(
            f"no case has {', '.join(map(str, strange))}", f"contrasts of the cohort: {there}", where="--modalities"
        )


def _require_once(entries: Iterable[Entry]) -> None:
    """Refuse a case that two cohorts hold."""
    seen: set[str] = set()
    doubled = []
    for entry in entries:
        key = name_key(entry.ref.case_id)
        doubled += [entry.ref.case_id] if key in seen else []
        seen.add(key)
    if doubled:
        raise CohortError(
            f"cases in two cohorts: {', '.join(doubled[:5])}",
            "each case once",
            "export scans or what was prepared from them, not both",
        )


def _entry(ref: CaseRef, spec: ExportSpec, given: frozenset[int]) -> Entry:
    """One case, with what is written of it."""
    prepared = ref.facts.get("prepared")
    labels = ref.labels if prepared is None or prepared.get("labelled", True) else None
    wanted = set(ref.images if spec.modalities is None else spec.modalities)
    shown = replace(ref, labels=labels, images={m: path for m, path in ref.images.items() if m in wanted})
    return Entry(ref, shown, given, "own" if prepared is None else spec.grid)
