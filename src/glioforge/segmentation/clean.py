"""Tidy a predicted label map: components that are too small, holes, a trace of enhancement.

Everything is off by default: a rule that helps one cohort hurts the next, so it
belongs into the settings of a run, where all arms of a study share it.
"""

import numpy as np
from jaxtyping import UInt8
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import LabelMap

_ROUNDING = 1 - 1e-6
"""Thresholds give way by this factor, since a voxel's volume is known to rounding only."""

_NEIGHBOURS_26 = ndimage.generate_binary_structure(3, 3)


class CleanSpec(Spec):
    """Rules applied to every predicted map, in this order."""

    minimum_tumour_mm3: float = Field(0.0, ge=0)
    """Whole-tumour components (26-neighbourhood) below this volume become background."""
    largest_only: bool = False
    """Keep the largest whole-tumour component alone."""
    minimum_enhancing_mm3: float = Field(0.0, ge=0)
    """Less enhancing tumour than this in the whole map becomes necrotic core, as BraTS entries do."""
    fill_holes: bool = False
    """Background enclosed by tumour in three dimensions becomes necrotic core."""


def clean(labels: LabelMap, spec: CleanSpec) -> LabelMap:
    """Apply the rules; a map without tumour stays as it is.

    Args:
        labels: Predicted map.
        spec: Rules; where the scheme has no necrotic core, holes become the last of its lesion labels.

    Raises:
        LabelError: Little enhancing tumour is to become core in a scheme that does not tell them apart.
    """
    if spec == CleanSpec() or not labels.lesion.any():
        return labels
    voxels = labels.voxels.copy()
    _drop_components(voxels, labels, spec)
    if spec.minimum_enhancing_mm3:
        core, enhancing = (labels.scheme.value(name) for name in ("necrotic_core", "enhancing"))
        is_enhancing = voxels == enhancing
        if np.count_nonzero(is_enhancing) * labels.geometry.voxel_volume < spec.minimum_enhancing_mm3 * _ROUNDING:
            voxels[is_enhancing] = core
    if spec.fill_holes:
        tumour = np.isin(voxels, labels.scheme.lesion_values)
        inner = labels.scheme.labels.get("necrotic_core", labels.scheme.lesion_values[-1])
        voxels[ndimage.binary_fill_holes(tumour) & ~tumour] = inner
    return labels.with_voxels(voxels)


def _drop_components(voxels: UInt8[np.ndarray, "i j k"], labels: LabelMap, spec: CleanSpec) -> None:
    """Turn components that the rules refuse into background, in place."""
    if not spec.minimum_tumour_mm3 and not spec.largest_only:
        return
    components, _ = ndimage.label(labels.lesion, structure=_NEIGHBOURS_26)
    sizes = np.bincount(components.ravel())
    refused = sizes * labels.geometry.voxel_volume < spec.minimum_tumour_mm3 * _ROUNDING
    if spec.largest_only:
        refused |= np.arange(len(sizes)) != 1 + int(np.argmax(sizes[1:]))
    refused[0] = False
    voxels[refused[components]] = labels.scheme.value("background")
