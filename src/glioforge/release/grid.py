"""A prepared case on the grid of the scan that it was prepared from."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float32

from glioforge.core import Case, Mask, Volume
from glioforge.data.prepare.resample import restore, restore_values

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
