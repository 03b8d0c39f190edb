"""Prepare a cohort: one grid, one intensity scale, complete label maps, kept in the store.

Every case goes the same way: brain mask, orientation and grid, intensities,
normal tissue.  A case that lies finished in the output folder is not made
again; a damaged one is.  The key of the folder is the spec and the size of the
grid, the key of a case its digest, so that cases can be added later.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from pydantic import Field

from glioforge.compute.fanout import FanOutSpec, fan_out
from glioforge.config.spec import Spec
from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, GlioforgeError, InputFileError
from glioforge.core.geometry import Index
from glioforge.core.labels import LabelMap
from glioforge.core.modality import Modality
from glioforge.core.protocols import Progress, Silent
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Mask, Volume
from glioforge.data.prepare.brain import PLAUSIBLE_ML, BrainSpec, find_brain
from glioforge.data.prepare.grid import Extent, GridPlan, common_size, extent_of, plan_grid
from glioforge.data.prepare.intensity import IntensitySpec, normalise
from glioforge.data.prepare.resample_labels import loss_report, resample_labels, resample_mask
from glioforge.data.prepare.tissue import TissueSpec, complete_labels
from glioforge.data.store import find_case, write_case
from glioforge.io.cohort_file import write_cohort
from glioforge.io.run_folder import Step, read_json, write_json

FORMAT = 1
"""Rises when preparation changes, so that old folders are not mixed with new ones."""
CASES = "cases"
REPORT = "prepare.json"


@final
class GridSpec(Spec):
    """The prepared grid."""

    spacing_mm: float | tuple[float, float, float] | None = None
    """Voxel size, one number or one an axis (right, front, up); none keeps each case's own."""
    size: tuple[int, int, int] | None = None
    """Shape of the grid; none takes the smallest that holds every brain of the cohort."""
    margin: int = Field(2, ge=0)
    """Voxels kept free around the largest brain, where the size is fitted."""
    multiple: int = Field(8, ge=1)
    """Each side of a fitted size is a multiple of it."""
    keep_lesions_mm3: float | None = Field(0.0, ge=0)
    """Connected lesions of at least this volume never vanish; none lets them."""

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Spacing for each axis."""
        if isinstance(self.spacing_mm, float | int):
            return (float(self.spacing_mm),) * 3
        return self.spacing_mm


@final
class PrepareSpec(Spec):
    """How cases become a prepared cohort."""

    modalities: tuple[Modality, ...] | None = None
    """Contrasts to keep; none keeps those that every case has."""
    brain: BrainSpec = BrainSpec()
    """How the brain mask is found."""
    grid: GridSpec = GridSpec()
    """Spacing and shape."""
    intensity: IntensitySpec | None = IntensitySpec()
    """How intensities are normalised; none leaves them as they are."""
    tissue: TissueSpec | None = TissueSpec()
    """How normal tissue is told apart; none leaves label maps without it."""


def prepare(
    cohort: Cohort,
    spec: PrepareSpec,
    out: Path,
    fanout: FanOutSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Prepare every case of a cohort into the store at `out`.

    The same call goes on where it stopped, makes nothing twice, and rebuilds
    damaged cases.  The bytes do not depend on the number of workers.

    Args:
        cohort: Real or phantom cases; their files are not changed.
        spec: What to do.
        out: Folder of the prepared cohort: `cases/`, `cohort.json`, `prepare.json`.
        fanout: How the work is spread over processes.
        progress: Where to show progress.

    Raises:
        CohortError: The cohort is empty or has no contrast in common.
        OutputError: The folder was made with other settings or cannot be written.
        CaseError, InputFileError: A case cannot be read or holds no brain.
    """
    progress = progress or Silent()
    modalities = _modalities(cohort, spec)
    size = spec.grid.size or _fitted_size(cohort, spec, out, fanout, progress)
    key = {"format": FORMAT, "spec": spec.model_dump(mode="json"), "modalities": list(modalities), "size": list(size)}
    with Step(out, key, wait_s=600) as step:
        jobs = [_Job(ref, spec, modalities, size, out / CASES) for ref in cohort]
        refs = []
        for ref, lines in fan_out(_prepare_one, jobs, fanout, title="preparing", progress=progress):
            refs.append(ref)
            for line in lines:
                progress.say(line)
        prepared = Cohort(cohort.name, tuple(refs), COMPLETE)
        write_cohort(out, prepared)
        report = {ref.case_id: ref.facts["prepared"] for ref in refs}
        write_json(out / REPORT, {"key": key, "cohort": cohort.fingerprint, "cases": report})
        step.finish({"cases": len(refs), "fingerprint": prepared.fingerprint})
    return prepared


def prepare_case(case: Case, spec: PrepareSpec, modalities: tuple[Modality, ...], size: Index) -> Case:
    """Prepare one case in memory; pure.

    Args:
        case: The case as it came.
        spec: What to do.
        modalities: Contrasts to keep.
        size: Shape of the prepared grid.

    Raises:
        CaseError: The case holds no brain or lacks a contrast.
    """
    case.stack(modalities)
    labels = None if case.labels is None else case.labels.to(COMPLETE)
    brain = find_brain(case, spec.brain)
    plan = plan_grid(case.geometry, extent_of(case.geometry, brain), spec.grid.spacing, size)
    prepared_labels = None if labels is None else resample_labels(labels, plan, spec.grid.keep_lesions_mm3)
    prepared_brain = resample_mask(brain, plan)
    if prepared_labels is not None:
        prepared_brain |= prepared_labels.lesion
    images = {m: plan.image(case.images[m].voxels, brain) for m in modalities}
    images, scales = _normalised(images, prepared_brain, prepared_labels, spec, case.case_id)
    voxels = np.zeros(size, dtype=np.uint8) if prepared_labels is None else prepared_labels.voxels * prepared_brain
    if spec.tissue is not None:
        voxels = complete_labels(images, voxels, prepared_brain, plan.target.spacing, spec.tissue)
    complete = LabelMap(voxels, plan.target, COMPLETE)
    facts = _facts(case, brain, plan, labels, complete)
    facts["intensity"] = scales
    return replace(
        case,
        images={m: Volume(v, plan.target, m) for m, v in images.items()},
        labels=complete,
        brain=prepared_brain,
        facts={**case.facts, "tumour_ml": complete.volume_ml("WT"), "prepared": facts},
    )


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
        values = [FORMAT, self.ref.digest, self.spec.model_dump(mode="json"), self.modalities, self.size]
        return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()


def _prepare_one(job: _Job) -> tuple[CaseRef, list[str]]:
    """Prepare a case unless it lies finished in the store; returns lines to tell the user."""
    lines = []
    try:
        found = find_case(job.store, job.ref.case_id)
    except InputFileError as error:
        lines.append(f"{job.ref.case_id}: damaged, made again ({error.found})")
        found = None
    if found is not None and found.facts.get("prepared", {}).get("key") == job.key:
        return found, lines
    case = prepare_case(job.ref.load(), job.spec, job.modalities, job.size)
    facts = {**case.facts, "prepared": {**case.facts["prepared"], "key": job.key}}
    lines += [f"{case.case_id}: {warning}" for warning in facts["prepared"]["warnings"]]
    return write_case(job.store, replace(case, facts=facts)), lines


def _modalities(cohort: Cohort, spec: PrepareSpec) -> tuple[Modality, ...]:
    """Contrasts to keep, in standard order."""
    if not len(cohort):
        raise CohortError("no cases to prepare", "at least one", "check the folder and its layout", cohort.name)
    wanted = cohort.modalities if spec.modalities is None else tuple(m for m in Modality if m in spec.modalities)
    missing = sorted(set(wanted) - set(cohort.modalities))
    if missing or not wanted:
        raise CohortError(
            f"contrasts that every case has: {[str(m) for m in cohort.modalities]}",
            f"{[str(m) for m in wanted] or 'at least one'}",
            "name only contrasts that every case has, or leave the others' cases out", cohort.name,
        )
    return wanted


def _fitted_size(
    cohort: Cohort, spec: PrepareSpec, out: Path, fanout: FanOutSpec | None, progress: Progress
) -> Index:
    """Smallest grid that holds every brain of the cohort; boxes already measured are not measured again."""
    extents = list(fan_out(_extent, [_Survey(ref, spec.brain, out / "survey") for ref in cohort], fanout,
                           title="measuring brains", progress=progress))
    return common_size(extents, spec.grid.spacing, spec.grid.margin, spec.grid.multiple)


@final
@dataclass(frozen=True)
class _Survey:
    """One brain to measure."""

    ref: CaseRef
    brain: BrainSpec
    folder: Path


def _extent(survey: _Survey) -> Extent:
    """Box of one brain, from the notes of an earlier call if they are of the same file and spec."""
    key = {"digest": survey.ref.digest, "brain": survey.brain.model_dump(mode="json")}
    path = survey.folder / f"{survey.ref.case_id}.json"
    try:
        noted = read_json(path)
        if noted["key"] == key:
            return Extent.from_json(noted["extent"])
    except (GlioforgeError, KeyError, TypeError, ValueError):
        pass
    case = survey.ref.load()
    extent = extent_of(case.geometry, find_brain(case, survey.brain))
    write_json(path, {"key": key, "extent": extent.to_json()})
    return extent


def _normalised(
    images: Mapping[Modality, np.ndarray], brain: Mask, labels: LabelMap | None, spec: PrepareSpec, case_id: str
) -> tuple[dict[Modality, np.ndarray], dict[str, Any]]:
    """Normalised contrasts, exactly 0 outside the brain, and what was taken out of each."""
    if spec.intensity is None:
        return {m: np.where(brain, v, np.float32(0)) for m, v in images.items()}, {}
    reference = brain
    if spec.intensity.within == "normal_tissue" and labels is not None:
        reference = brain & ~labels.lesion
    result, scales = {}, {}
    for modality, voxels in images.items():
        result[modality], scale = normalise(
            voxels, brain, spec.intensity, reference=reference, where=f"{case_id} {modality}"
        )
        scales[str(modality)] = scale.to_json()
    return result, scales


def _facts(case: Case, brain: Mask, plan: GridPlan, labels: LabelMap | None, complete: LabelMap) -> dict[str, Any]:
    """What was done to a case: grid, losses, volumes, warnings."""
    brain_ml = float(brain.sum() * case.geometry.voxel_volume / 1000)
    lost = int(np.count_nonzero(brain) - np.count_nonzero(brain & (plan.fractions_back(np.ones(plan.size, dtype=bool)) > 0)))
    loss = {} if labels is None else loss_report(labels, complete, plan)
    warnings = []
    if not PLAUSIBLE_ML[0] <= brain_ml <= PLAUSIBLE_ML[1]:
        warnings.append(f"brain of {brain_ml:.0f} ml; is the scan skull-stripped and whole?")
    if lost:
        warnings.append(f"{lost} brain voxels lie outside the grid of size {plan.size}")
    return {
        "grid": plan.to_json(),
        "labelled": labels is not None,
        "loss": loss,
        "brain_ml": round(brain_ml, 3),
        "brain_voxels_cut_off": lost,
        "volumes_ml": {name: round(complete.volume_ml(name), 4) for name in complete.scheme.labels if name != "background"},
        "warnings": warnings,
    }
