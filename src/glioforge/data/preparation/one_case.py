"""Prepare one case in memory: brain mask, grid, intensities, normal tissue, and an account of it all.

Registration, skull stripping, brain mask and bias field come before the grid,
where a spec asks for them.  Brain mask, grid and intensities come from the images
alone.  A true label map only gives the prepared label map, so that a test case
looks to a model as it would without one.  A case without images, such as a healthy
anatomy from FreeSurfer, is prepared from its label map (`prepare_labels`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage

from glioforge.core import COMPLETE, Case, CaseError, Index, LabelMap, LabelScheme, Mask, Modality, Volume, Voxels
from glioforge.data.preparation.brain import PLAUSIBLE_ML, cleaned, find_brain, plan_window
from glioforge.data.preparation.grades import grade
from glioforge.data.preparation.grid import GridPlan, extent_of, plan_grid
from glioforge.data.preparation.intensity import (
    IntensitySpec,
    Normalisation,
    PercentileSpec,
    Stretch,
    normalise,
    stretch,
)
from glioforge.data.preparation.landmarks import HistogramSpec, Matching, landmarks_for, match
from glioforge.data.preparation.register import register_case
from glioforge.data.preparation.resample import loss_report, resample_labels, resample_mask
from glioforge.data.preparation.spec import PrepareSpec
from glioforge.data.preparation.strip import strip_case, without_bias
from glioforge.data.preparation.tissue import BandsSpec, TissueMap, band_labels, tissue_map
from glioforge.data.preparation.unified import too_small

AnyIntensity = IntensitySpec | PercentileSpec | HistogramSpec


def normalised(
    images: Mapping[Modality, Voxels], brain: Mask, spec: AnyIntensity | None, case_id: str
) -> tuple[dict[Modality, Voxels], dict[str, Any]]:
    """Normalised contrasts, exactly 0 outside the brain, and what was taken out of each.

    Args:
        images: Contrasts on one grid; none give none.
        brain: Brain mask on it.
        spec: How; none only clears what lies outside the brain.
        case_id: For messages.

    Raises:
        CaseError: A contrast has no spread in the brain, or the landmarks lack it.
        InputFileError: The file of landmarks cannot be read.
    """
    if spec is None:
        return {m: np.where(brain, v, np.float32(0)) for m, v in images.items()}, {}
    landmarks = landmarks_for(spec, images, case_id) if isinstance(spec, HistogramSpec) else {}
    result, scales = {}, {}
    for modality, voxels in images.items():
        where = f"{case_id} {modality}"
        record: Normalisation | Stretch | Matching
        if isinstance(spec, IntensitySpec):
            result[modality], record = normalise(voxels, brain, spec, where=where)
        elif isinstance(spec, PercentileSpec):
            result[modality], record = stretch(voxels, brain, spec, where=where)
        else:
            result[modality], record = match(voxels, brain, landmarks[modality], where=where)
        scales[str(modality)] = record.to_json()
    return result, scales


def intensity_record(values: Mapping[str, Any]) -> Normalisation | Stretch | Matching:
    """What a prepared case's facts say about one contrast; its `invert` gives the scan's intensities."""
    kinds: dict[str, type[Normalisation | Stretch | Matching]]
    kinds = {"zscore": Normalisation, "percentile": Stretch, "histogram": Matching}
    return kinds[values.get("kind", "zscore")].from_json(values)


def prepare_labels(case: Case, spec: PrepareSpec, size: Index, scheme: LabelScheme) -> Case:
    """Bring a complete label map onto the prepared grid and into a scheme.

    The brain is what is labelled, cleaned as `spec.brain` says; holes that this fills take the nearest class.

    Args:
        case: A case without images.
        spec: Its grid and brain are used; registration, stripping, intensities and tissue need images.
        size: Shape of the prepared grid.
        scheme: Scheme of the prepared map.

    Raises:
        CaseError: The map names no normal tissue, or the spec asks for bands of intensity.
        LabelError: A lesion label has no counterpart in the scheme.
    """
    labels = case.require_labels()
    if not labels.scheme.is_complete or isinstance(spec.tissue, BandsSpec):
        raise CaseError(
            f"a label map in scheme {labels.scheme.name!r} and no image",
            "a map that labels normal tissue, and a preparation that needs no intensities",
            "add the scans, or name the scheme of an anatomy, such as --scheme freesurfer",
            case.case_id,
        )
    known = _of_brain(labels.to(scheme), spec)
    plan = plan_grid(known.geometry, extent_of(known.geometry, known.foreground), spec.grid.spacing, size)
    resampled = resample_labels(known, plan, spec.grid.keep_lesions_mm3)
    complete = LabelMap(resampled.voxels, plan.target, scheme)
    brain = complete.foreground
    names = [name for name in scheme.labels if name != "background"]
    lost = plan.cut_off(known.foreground)
    facts = {
        "grid": plan.to_json(),
        "labelled": True,
        "loss": loss_report(known, complete, plan),
        "brain_ml": round(float(np.count_nonzero(brain) * plan.target.voxel_volume / 1000), 3),
        "brain_voxels_cut_off": lost,
        "volumes_ml": {name: round(complete.volume_ml(name), 4) for name in names},
        "warnings": [f"{lost} brain voxels lie outside the grid of shape {size}"] if lost else [],
        "intensity": {},
    }
    return replace(
        case,
        labels=complete,
        brain=brain,
        facts={**case.facts, "tumour_ml": complete.volume_ml("WT"), "prepared": facts},
    )


def _of_brain(labels: LabelMap, spec: PrepareSpec) -> LabelMap:
    """Return the map of the cleaned brain: without stray parts, and without holes."""
    brain = cleaned(labels.foreground, spec.brain)
    return labels.with_voxels(filled(labels.voxels, brain) * brain)


def filled(voxels: UInt8[np.ndarray, "i j k"], brain: Mask) -> UInt8[np.ndarray, "i j k"]:
    """Return labels in which unlabelled voxels of the brain take the class of the nearest labelled voxel.

    Example:
        >>> ring = np.full((3, 3, 3), 5, dtype=np.uint8)
        >>> ring[1, 1, 1] = 0
        >>> int(filled(ring, ring >= 0)[1, 1, 1])
        5
    """
    holes = brain & (voxels == 0)
    if not holes.any():
        return voxels
    nearest = ndimage.distance_transform_edt(voxels == 0, return_distances=False, return_indices=True)
    whole = voxels.copy()
    whole[holes] = voxels[tuple(axis[holes] for axis in nearest)]
    return whole


NO_LABELS = "no tumour labels came with it: its map shows normal tissue where a tumour may be"


@final
@dataclass(frozen=True, eq=False)
class Known:
    """What was found out about a case before, so that nothing slow is done twice.

    Args:
        account: What was done: registration and stripping.
        stripped: Brain that stripping found, on the grid after registration; none where the case had one.
    """

    account: Mapping[str, Any]
    stripped: Mask | None = None


def prepare_case(
    case: Case,
    spec: PrepareSpec,
    modalities: tuple[Modality, ...],
    size: Index,
    known: Known | None = None,
    *,
    scheme: LabelScheme | None = None,
) -> Case:
    """Prepare one case in memory; pure, and its images and brain mask are the same with and without labels.

    Args:
        case: The case as it came.
        spec: What to do.
        modalities: Contrasts to keep.
        size: Shape of the prepared grid.
        known: What measuring its brain has found out already.
        scheme: Scheme of the prepared map; what the case's own labels need unless given.

    Raises:
        CaseError: The case holds no brain or lacks a contrast.
    """
    if not case.images:
        return prepare_labels(case, spec, size, scheme or spec.scheme_of(case.require_labels().scheme))
    case.require_images(modalities)
    case, brain, before = with_brain(case, spec, known)
    case = evened_out(case, brain, spec)
    scheme = scheme or spec.scheme_of(COMPLETE if case.labels is None else case.labels.scheme)
    labels = None if case.labels is None else case.labels.to(COMPLETE if isinstance(spec.tissue, BandsSpec) else scheme)
    plan = _plan(case, brain, spec, size)
    prepared_brain = resample_mask(brain, plan)
    kept = spec.grid.keep_lesions_mm3
    prepared_labels = None if labels is None else resample_labels(labels, plan, kept, within=prepared_brain)
    scans = {m: plan.image(case.images[m].voxels, brain) for m in modalities}
    images, scales = normalised(scans, prepared_brain, spec.intensity, case.case_id)
    voxels = np.zeros(size, dtype=np.uint8) if prepared_labels is None else prepared_labels.voxels * prepared_brain
    tissue = None
    if isinstance(spec.tissue, BandsSpec):
        reference = scans.get(spec.tissue.reference, scans[modalities[0]])
        voxels = band_labels(reference, voxels, prepared_brain, spec.tissue)
    elif spec.tissue is not None:
        found = tissue_map(images, voxels, prepared_brain, plan.target.spacing, spec.tissue)
        voxels, tissue = found.labels, found
    complete = LabelMap(voxels, plan.target, scheme)
    facts = _facts(case, brain, plan, labels, complete) | before
    if spec.grid.window is not None:
        facts["warnings"] = [w for w in facts["warnings"] if "outside the grid" not in w]
    if tissue is not None:
        facts |= _tissue_facts(tissue, prepared_brain, plan, facts)
    facts["intensity"] = scales
    return replace(
        case,
        images={m: Volume(v, plan.target, m) for m, v in images.items()},
        labels=complete,
        brain=prepared_brain,
        lineage=case.lineage.shaped_by(spec.fitted().values()),
        facts={**case.facts, "tumour_ml": complete.volume_ml("WT"), "prepared": facts},
    )


def _plan(case: Case, brain: Mask, spec: PrepareSpec, size: Index) -> GridPlan:
    """Plan the grid around the brain, or the window that the spec asks for."""
    if spec.grid.window is None:
        return plan_grid(case.geometry, extent_of(case.geometry, brain), spec.grid.spacing, size)
    return plan_window(case.geometry, brain, spec.grid.spacing, size, spec.grid.window)


def _tissue_facts(found: TissueMap, brain: Mask, plan: GridPlan, facts: Mapping[str, Any]) -> dict[str, Any]:
    """How the tissue was found, its grades, and warnings where they are implausible or labels are missing.

    Grids too coarse for an average brain are graded without warnings.
    """
    grades = grade(found, brain, plan.target.spacing)
    warnings = list(facts["warnings"])
    if not facts["labelled"]:
        warnings.append(NO_LABELS)
    if too_small(brain, plan.target.spacing) is None:
        warnings += [f"tissue map: {found.note}"] if found.note else []
        warnings += grades.warnings
    return {
        "warnings": warnings,
        "tissue": {"kind": found.kind, "note": found.note, "grades": grades.to_json()},
    }


def _facts(case: Case, brain: Mask, plan: GridPlan, labels: LabelMap | None, complete: LabelMap) -> dict[str, Any]:
    """What was done to a case: grid, losses, volumes, warnings."""
    brain_ml = float(np.count_nonzero(brain) * case.geometry.voxel_volume / 1000)
    lost = plan.cut_off(brain)
    names = [name for name in complete.scheme.labels if name != "background"]
    warnings = []
    if not PLAUSIBLE_ML[0] <= brain_ml <= PLAUSIBLE_ML[1]:
        warnings.append(f"brain of {brain_ml:.0f} ml; is the scan skull-stripped and whole?")
    if lost:
        warnings.append(f"{lost} brain voxels lie outside the grid of shape {plan.size}; give a larger grid.size")
    tumour = np.zeros_like(brain) if labels is None else labels.lesion
    outside = int(np.count_nonzero(tumour & ~brain))
    if outside:
        warnings.append(
            f"{outside} of {np.count_nonzero(tumour)} tumour voxels lie outside the brain mask, where images are cut "
            "to 0, and lose their label; give a mask that holds the tumour, or set brain.use_given to false"
        )
    return {
        "grid": plan.to_json(),
        "labelled": labels is not None,
        "loss": {} if labels is None else loss_report(labels, complete, plan),
        "brain_ml": round(brain_ml, 3),
        "brain_voxels_cut_off": lost,
        "tumour_voxels_outside_brain": outside,
        "volumes_ml": {name: round(complete.volume_ml(name), 4) for name in names},
        "warnings": warnings,
    }


def with_brain(case: Case, spec: PrepareSpec, known: Known | None = None) -> tuple[Case, Mask, dict[str, Any]]:
    """The case registered and stripped, its brain, and an account of what was done.

    Args:
        case: The case as it came.
        spec: What to do.
        known: What an earlier call with the same case and spec found; the result is the same.

    Raises:
        CaseError: There is no brain, or no contrast to register to.
        DependencyError: A step's package is not installed.
        InputFileError: A template or tool failed.
    """
    facts: dict[str, Any] = {}
    if spec.registration is not None:
        found = None if known is None else known.account["registration"]
        case, facts["registration"] = register_case(case, spec.registration, found)
    if spec.strip is not None and known is not None and known.stripped is not None:
        case, facts["strip"] = replace(case, brain=known.stripped), known.account["strip"]
    elif spec.strip is not None:
        case, facts["strip"] = strip_case(case, spec.strip)
    return case, find_brain(case, spec.brain), facts


def evened_out(case: Case, brain: Mask, spec: PrepareSpec) -> Case:
    """The case without bias fields, where the spec asks for it; errors as `without_bias`."""
    if spec.bias is None:
        return case
    return replace(case, images=without_bias(case.images, brain, spec.bias, case.case_id))
