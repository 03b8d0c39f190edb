"""Export cohorts for other tools: scans, prepared and synthetic cases as NIfTI, BraTS, nnU-Net or BIDS.

Headers and files are newly written, so that nothing of the input's metadata gets
out; cases get new numbers unless their ids are kept.  What leads back from the
numbers to the ids lies in a folder of its own, with the settings of the export,
and is not to be handed on:

    <out>              the data set
    private-<out>      key.json, step.json, done.json, cases/

A case depends on its files and the settings alone: neither on the number of
workers nor on interruptions.  A prepared case goes back to the grid of the scan
that it was prepared from, where the export asks for it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Float32

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import (
    Case,
    Cohort,
    InputFileError,
    LabelError,
    LabelScheme,
    Mask,
    OutputError,
    Progress,
    Silent,
    Volume,
)
from glioforge.data import restore, restore_values
from glioforge.io import DONE, PRIVATE, STARTED, Step, read_json, remove_partials, write_json
from glioforge.release.base import CaseName, DataSet, Leaving, Target, format_named
from glioforge.release.label_values import expressed, require_no_lost_label
from glioforge.release.plan import Entry, ExportSpec, Plan, key_of, plan_export, remarks
from glioforge.release.record import dataset_record, description_of, sidecar_of

_HALF = 0.5 - 1e-4


def on_scan_grid(case: Case) -> Case:
    """Bring images, labels and brain mask of a prepared case back onto its scan's own grid.

    Exact, voxel for voxel, where preparation only moved voxels.  Where it
    resampled or registered, images are interpolated linearly among the brain's
    voxels alone, so that no background blurs into its rim, and a voxel belongs to
    the brain where the prepared brain fills at least half of it.  Intensities stay
    those of the preparation; voxels that the prepared grid does not reach are 0.

    Args:
        case: Any case; one that `prepare` did not make (scans, edited maps, synthetic cases) is returned as it is.

    Raises:
        CaseError: The record of the preparation is damaged.
    """
    if "prepared" not in case.facts:
        return case
    labels = None if case.labels is None else restore(case.labels, case)
    brain = case.brain if case.brain is not None else np.ones(case.geometry.shape, dtype=bool)
    share, geometry = restore_values(brain.astype(np.float32), case)
    inside = share >= _HALF
    images = {
        modality: Volume(_within(case, volume.voxels, brain, share, inside), geometry, modality)
        for modality, volume in case.images.items()
    }
    return replace(case, images=images, labels=labels, brain=None if case.brain is None else inside)


def _within(
    case: Case,
    voxels: Float32[np.ndarray, "x y z"],
    brain: Bool[np.ndarray, "x y z"],
    share: Float32[np.ndarray, "i j k"],
    inside: Mask,
) -> Float32[np.ndarray, "i j k"]:
    """Intensities of the brain on the scan's grid, 0 outside."""
    total, _ = restore_values(np.where(brain, voxels, np.float32(0)), case)
    result: Float32[np.ndarray, "i j k"] = np.zeros_like(total)
    np.divide(total, share, out=result, where=inside)
    return result


ID_KEY = "key.json"
_CASES = "cases"
_OPTIONS = {"format": "as"}
"""Names of options that differ from those of the settings."""


def export_cohorts(
    cohorts: Sequence[Cohort],
    out: Path,
    spec: ExportSpec | None = None,
    *,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Path:
    """Export cohorts as one data set; the same call again goes on where it stopped.

    Args:
        cohorts: Real, phantom and synthetic cohorts, prepared or not, of which no case is in two.
        out: Folder of the data set; `private-<out>` gets the key to the ids.
        spec: Format, grid, label scheme, contrasts, subjects left out; the defaults unless given.
        parallel: How cases are distributed over processes; one unless given.  The bytes do not depend on it.
        progress: Where to show progress, and what is worth knowing.

    Returns:
        Folder of the data set: `out`, or for nnU-Net perhaps a folder within it.

    Raises:
        CohortError: No case is left, a case is in two cohorts, a subject to leave out is unknown, or the format cannot
            hold a case.
        LabelError: Label files have several schemes and none is asked for, or the scheme would lose labels.
        InputFileError: A case cannot be read.
        OutputError: The folder holds something else or another export, or cannot be written.
    """
    spec, progress = spec or ExportSpec(), progress or Silent()
    made = format_named(spec.format)
    plan = plan_export(cohorts, spec, made)
    private = private_folder(out)
    _require_own(out, private)
    if plan.source is not None:
        require_no_lost_label(plan.cohorts, plan.source, parallel=parallel, progress=progress)
    with _step(private, key_of(plan, spec), out) as step:
        private.chmod(0o700)
        if plan.names.renumbered:
            write_json(private / ID_KEY, plan.names.key())
        for line in remarks(plan, spec):
            progress.say(line)
        target = Target(made.place(out), plan.modalities, None if plan.written is None else plan.written.scheme)
        _remove_partials(out)
        job = _Job(spec, target, plan.source, private / _CASES)
        items = [_item(plan, entry, target) for entry in plan.entries]
        for _ in fan_out(job, items, parallel, title="exporting", progress=progress):
            pass
        made.write_dataset(_about(plan, target), target)
        if not step.done:
            step.finish({"cases": len(items), "format": spec.format})
    return target.folder


def _step(private: Path, key: Mapping[str, Any], out: Path) -> Step:
    """The step of an export; another one that is there is refused in the words of the options."""
    try:
        return Step(private, key, writes=(ID_KEY,))
    except OutputError as error:
        found = re.sub(r"spec\.(\w+)", _option, error.found)
        remedy = f"choose another --out, or delete {out} and {private.name} next to it"
        raise OutputError(found, error.expected, remedy, out) from error


def _option(part: re.Match[str]) -> str:
    """The option of a setting, as one types it."""
    return f"--{_OPTIONS.get(part[1], part[1].replace('_', '-'))}"


def private_folder(out: Path) -> Path:
    """Return the folder next to an export that holds its key and settings."""
    place = out.resolve()
    return place.with_name(f"{PRIVATE}{place.name}")


@final
@dataclass(frozen=True)
class _Item:
    """One case with all that is written about it; picklable."""

    entry: Entry
    name: CaseName
    description: str
    sidecar: Mapping[str, Any] | None


@final
@dataclass(frozen=True)
class _Job:
    """Writes one case, unless its files are there."""

    spec: ExportSpec
    target: Target
    source: LabelScheme | None
    notes: Path

    def __call__(self, item: _Item) -> str:
        """Name of the case."""
        note = self.notes / f"{item.name.case_id}.json"
        if not _whole(note, self.target.folder):
            leaving = Leaving(self._case(item), item.name, item.description, item.sidecar)
            files = format_named(self.spec.format).write_case(leaving, self.target)
            write_json(note, {str(path.relative_to(self.target.folder)): path.stat().st_size for path in files})
        return item.name.case_id

    def _case(self, item: _Item) -> Case:
        """The case under its new name, on its grid, with labels in the wanted scheme and no facts."""
        entry, case = item.entry, item.entry.ref.load()
        labels = case.labels if entry.shown.labels is not None else None
        if labels is not None and self.source is not None and self.target.scheme is not None:
            try:
                labels = expressed(labels, self.source, entry.given).to(self.target.scheme)
            except LabelError as error:
                raise LabelError(error.found, error.expected, error.remedy, case.case_id) from error
        images = {m: volume for m, volume in case.images.items() if m in entry.shown.images}
        case = replace(case, images=images, labels=labels)
        if entry.grid == "scan":
            case = on_scan_grid(case)
        name = item.name
        return replace(case, case_id=name.case_id, subject_id=name.subject, session=name.session, facts={})


def _item(plan: Plan, entry: Entry, target: Target) -> _Item:
    """What is written of one case."""
    name = plan.names.cases[entry.ref.case_id]
    scheme = target.scheme if entry.shown.labels is not None else None
    sidecar = sidecar_of(entry.ref, name, plan.names, scheme)
    return _Item(entry, name, description_of(entry.ref), sidecar)


def _about(plan: Plan, target: Target) -> DataSet:
    """What is written about the data set as a whole."""
    grids = {entry.ref.case_id: entry.grid for entry in plan.entries}
    record = dataset_record(plan.shown, plan.names, target.scheme, grids)
    source = None if plan.source is None else plan.source.name
    return DataSet(plan.shown, plan.names, record, source, {} if plan.written is None else plan.written.values)


def _require_own(out: Path, private: Path) -> None:
    """Refuse a place that holds something which no export wrote."""
    begun = (private / STARTED).exists() or (private / DONE).exists()
    if out.exists() and not begun and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(
            "a file or folder that this command did not write",
            "an empty folder, or the same export begun before",
            "choose another --out, or move what is there away",
            out,
        )


def _remove_partials(out: Path) -> None:
    """Remove what a killed export left half written."""
    for folder in {partial.parent for partial in out.rglob(".*.partial")}:
        remove_partials(folder)


def _whole(note: Path, folder: Path) -> bool:
    """Whether all files of a case are there, as long as they were written."""
    try:
        files = dict(read_json(note)) if note.is_file() else {}
    except (InputFileError, TypeError, ValueError):
        return False
    return bool(files) and all(
        (folder / name).is_file() and (folder / name).stat().st_size == size for name, size in files.items()
    )
