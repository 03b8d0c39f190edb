"""Prepares a case that has a label map and no images, such as a healthy anatomy from FreeSurfer."""

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage

from glioforge.core.case import Case
from glioforge.core.errors import CaseError
from glioforge.core.geometry import Index
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.volume import Mask
from glioforge.data.prepare.bands import BandsSpec
from glioforge.data.prepare.brain import cleaned
from glioforge.data.prepare.grid import extent_of, plan_grid
from glioforge.data.prepare.resample_labels import loss_report, resample_labels
from glioforge.data.prepare.spec import PrepareSpec


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
