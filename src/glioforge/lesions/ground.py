"""The ground on which a lesion is placed: brain, obstacles and the places it should keep off.

Ventricles are fluid deep inside the brain; the brainstem, for which a prepared
map has no label, is the box of the brain's extent in which it lies: near the
mid-sagittal plane, low, and a little behind the middle.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64
from scipy import ndimage

from glioforge.core.geometry import Geometry, within
from glioforge.core.labels import LabelMap, LabelVoxels
from glioforge.lesions.coarse import Coarse, coarse_voxels
from glioforge.lesions.cutout import CSF, WHITE, Cutout
from glioforge.lesions.midline import Plane

STEP_MM = 4.0
"""Distance of the lattice on which places are searched."""
VENTRICLE_DEPTH_MM = 16.0
"""Fluid further than this from the brain's border counts as ventricle."""

_STEM_HALF_WIDTH_MM = 16.0
_STEM_TOP = 0.4
_STEM_BACK, _STEM_FRONT = 0.35, 0.62

RULES = ("outside the brain", "on another lesion", "in a ventricle", "in the brainstem", "across the midline")
"""What a place is judged by, in this order."""


@final
@dataclass(frozen=True, eq=False)
class Ground:
    """A brain without the lesion that is on its way.

    Args:
        voxels: Labels; under the moving lesion white matter is assumed.
        coarse: The same, sampled.
        plane: Mid-sagittal plane.
        near_others: Sampled mask of other lesions and the gap around them.
        ventricle: Sampled mask of deep fluid.
        brainstem: Sampled mask of the box that holds the brainstem.
    """

    voxels: LabelVoxels
    coarse: Coarse
    plane: Plane
    near_others: Bool[np.ndarray, "a b c"]
    ventricle: Bool[np.ndarray, "a b c"]
    brainstem: Bool[np.ndarray, "a b c"]

    @classmethod
    def of(
        cls,
        labels: LabelMap,
        plane: Plane,
        *,
        moving: Cutout | None = None,
        gap_mm: float = 0.0,
        phase: tuple[int, int, int] = (0, 0, 0),
    ) -> "Ground":
        """Ground of a map; `moving` is the lesion that leaves it, `phase` shifts the lattice."""
        voxels = labels.voxels.copy()
        if moving is not None:
            voxels[moving.box][moving.mask] = WHITE
        coarse = coarse_voxels(voxels, labels.geometry.spacing, STEP_MM, phase)
        return cls(
            voxels,
            coarse,
            plane,
            _near_others(coarse, gap_mm),
            _ventricle(coarse),
            _brainstem(coarse, plane, labels.geometry),
        )

    def shares(self, lesion: Cutout) -> dict[str, float]:
        """Share of a lesion's voxels that lies wrong, for each of `RULES`."""
        places = np.array(np.nonzero(lesion.mask)) + np.array(lesion.start)[:, None]
        shape = np.array(self.voxels.shape)[:, None]
        on_grid = places[:, np.all((places >= 0) & (places < shape), axis=0)]
        count = places.shape[1]
        values = self.voxels[tuple(on_grid)]
        steps, phase = np.array(self.coarse.steps)[:, None], np.array(self.coarse.phase)[:, None]
        limit = np.array(self.coarse.voxels.shape)[:, None] - 1
        cells = tuple(np.clip(np.rint((on_grid - phase) / steps).astype(np.int64), 0, limit))
        right = float(np.mean(self.plane.side_of(places * np.array(lesion.spacing)[:, None]) > 0))
        masks = (self.near_others, self.ventricle, self.brainstem)
        wrong = [1 - np.count_nonzero(values) / count, *(np.count_nonzero(m[cells]) / count for m in masks)]
        return dict(zip(RULES, [*(float(w) for w in wrong), min(right, 1 - right)], strict=True))


def _near_others(coarse: Coarse, gap_mm: float) -> Bool[np.ndarray, "a b c"]:
    """Other lesions, widened by a gap."""
    lesion = coarse.lesion
    if not lesion.any():
        return lesion
    return within(ndimage.distance_transform_edt(~lesion, coarse.spacing), gap_mm)


def _ventricle(coarse: Coarse) -> Bool[np.ndarray, "a b c"]:
    """Fluid far from the border of the brain."""
    brain = np.pad(coarse.brain, 1)
    depth = ndimage.distance_transform_edt(brain, coarse.spacing)[1:-1, 1:-1, 1:-1]
    return np.asarray((coarse.voxels == CSF) & ~within(depth, VENTRICLE_DEPTH_MM))


def _brainstem(coarse: Coarse, plane: Plane, geometry: Geometry) -> Bool[np.ndarray, "a b c"]:
    """Box of the brain's extent in which the brainstem lies."""
    brain = coarse.brain
    indices = np.array(np.indices(brain.shape), dtype=np.float64).reshape(3, -1)
    beside = np.abs(plane.side_of(coarse.millimetres(indices))).reshape(brain.shape)
    back_to_front, height = _fraction(brain, geometry, 1), _fraction(brain, geometry, 2)
    box = (height < _STEM_TOP) & (back_to_front > _STEM_BACK) & (back_to_front < _STEM_FRONT)
    return np.asarray(brain & box & (beside < _STEM_HALF_WIDTH_MM))


def _fraction(brain: Bool[np.ndarray, "a b c"], geometry: Geometry, world: int) -> Float64[np.ndarray, "_ _ _"]:
    """Position along a world axis as a fraction of the brain's extent, shaped to broadcast."""
    axis = geometry.world_axes.index(world)
    line = np.flatnonzero(brain.any(axis=tuple(a for a in range(3) if a != axis)))
    first, last = (float(line[0]), float(line[-1])) if line.size else (0.0, 1.0)
    share = (np.arange(brain.shape[axis]) - first) / max(last - first, 1.0)
    if geometry.affine[world, axis] < 0:
        share = 1 - share
    shape = [1, 1, 1]
    shape[axis] = brain.shape[axis]
    return share.reshape(shape)
