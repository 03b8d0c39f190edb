"""Widen or narrow the ventricles (Shin et al. 2018 alter "the brain label").

The border of the ventricles moves by a distance, and the tissue between it and
a reach is squeezed or stretched along the smoothed distance from them, evenly
along each line; a lesion there moves with it.  Towards the outline of the brain
both die away, so that the outline stays as it is.  Where the map does not name
ventricles, they are the large components of fluid deep inside the brain.
"""

from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from pydantic import Field
from scipy import ndimage

from glioforge.config.spec import Spec
from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap
from glioforge.core.protocols import EditRecord
from glioforge.lesions.base import EDITS, NOTHING, Range, Sources, uniform
from glioforge.lesions.brain_edit import sampled_at, weakened
from glioforge.lesions.compartments import VENTRICLE_DEPTH_MM
from glioforge.lesions.cutout import CSF, box_of, require_complete
from glioforge.lesions.level_set import signed_distance

_SMOOTHING_MM = 2.0
_RIM_MM = 12.0
_LEAST_PART = 0.1
_MOST_NARROWED = 0.7
_MOST_OF_REACH = 0.8

Volume = Float64[np.ndarray, "a b c"]


@final
class WidenVentriclesSpec(Spec):
    """Settings of wider or narrower ventricles."""

    kind: Literal["widen_ventricles"] = "widen_ventricles"
    """Name of the edit."""
    by_mm: Range = (-1.5, 4.0)
    """Smallest and largest way of the ventricles' border; negative narrows them."""
    reach_mm: float = Field(30.0, gt=0)
    """Distance from the ventricles beyond which nothing changes; the border moves by 0.8 of it at most."""


@EDITS.register(WidenVentriclesSpec)
@final
@dataclass(frozen=True)
class WidenVentricles:
    """Move the border of the ventricles; record: `by_mm` and `reach_mm`."""

    spec: WidenVentriclesSpec = field(default_factory=WidenVentriclesSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw the way; it is shortened where the ventricles or a class would vanish.

        Raises:
            EditError: The map holds no ventricles.
        """
        require_complete(labels)
        reach = self.spec.reach_mm
        by_mm = min(uniform(rng, self.spec.by_mm), _MOST_OF_REACH * reach)
        deepest = float(_outwards(ventricles_of(labels), labels.geometry.spacing).min())
        by_mm = max(by_mm, _MOST_NARROWED * deepest)

        def record_of(share: float) -> EditRecord:
            return EditRecord("widen_ventricles", {"by_mm": round(by_mm * share, 6), "reach_mm": reach})

        return weakened(labels, self.apply, record_of)

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Move the border; a way of 0 gives the map back.

        Raises:
            EditError: The map holds no ventricles.
        """
        require_complete(labels)
        by_mm, reach = float(record.values["by_mm"]), float(record.values["reach_mm"])
        ventricles = ventricles_of(labels)
        box = box_of(labels.voxels > 0)
        if by_mm == 0 or box is None:
            return labels
        voxels = labels.voxels.copy()
        fluid = np.uint8(labels.scheme.labels.get("ventricles", CSF) if _are_named(labels) else CSF)
        voxels[box] = _moved(voxels[box], ventricles[box], fluid, by_mm, reach, labels.geometry.spacing)
        return labels.with_voxels(voxels)


def ventricles_of(labels: LabelMap) -> Bool[np.ndarray, "i j k"]:
    """Ventricles of a map: its label of them, else the large components of fluid deep inside the brain.

    Raises:
        EditError: There are none.
    """
    if _are_named(labels):
        return labels.region("ventricles")
    depth = ndimage.distance_transform_edt(np.pad(labels.voxels > 0, 1), labels.geometry.spacing)[1:-1, 1:-1, 1:-1]
    parts, count = ndimage.label((labels.voxels == CSF) & (depth > VENTRICLE_DEPTH_MM))
    if not count:
        raise EditError("a label map without ventricles", "fluid deep inside the brain", "leave the case out")
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= _LEAST_PART * sizes.max())[parts] & (parts > 0))


def _are_named(labels: LabelMap) -> bool:
    """Whether the map has a label of ventricles, and voxels of it."""
    return "ventricles" in labels.scheme.labels and bool(labels.region("ventricles").any())


def _outwards(ventricles: Bool[np.ndarray, "a b c"], spacing: tuple[float, float, float]) -> Volume:
    """Distance from the border of the ventricles in mm, negative inside."""
    return -signed_distance(ventricles, spacing).astype(np.float64)


def _moved(
    voxels: UInt8[np.ndarray, "a b c"],
    ventricles: Bool[np.ndarray, "a b c"],
    fluid: np.uint8,
    by_mm: float,
    reach: float,
    spacing: tuple[float, float, float],
) -> UInt8[np.ndarray, "a b c"]:
    """Labels of the brain's box after the border of the ventricles has moved."""
    distance = _outwards(ventricles, spacing)
    depth = ndimage.distance_transform_edt(np.pad(voxels > 0, 1), spacing)[1:-1, 1:-1, 1:-1] - min(spacing)
    rim = np.clip(depth / _RIM_MM, 0, 1)
    way = by_mm * rim**2 * (3 - 2 * rim)
    stretched = np.where(distance < reach, (distance - way) * reach / (reach - way), distance)
    vectors = _direction(distance, spacing) * (stretched - distance)
    tissue = np.where(ventricles, np.uint8(0), voxels)
    found = sampled_at(tissue, vectors / np.array(spacing)[:, None, None, None])
    nearest = ndimage.distance_transform_edt(tissue == 0, spacing, return_distances=False, return_indices=True)
    found = np.where(found == 0, tissue[tuple(nearest)], found)
    return np.where(voxels == 0, voxels, np.where(distance <= way, fluid, found))


def _direction(distance: Volume, spacing: tuple[float, float, float]) -> Float64[np.ndarray, "3 a b c"]:
    """Unit vectors away from the ventricles; shorter where the nearest ventricle changes sides."""
    smooth = ndimage.gaussian_filter(distance, [_SMOOTHING_MM / s for s in spacing], mode="nearest")
    slopes = np.stack([np.gradient(smooth, step, axis=axis) for axis, step in enumerate(spacing)])
    return np.asarray(slopes / np.maximum(np.linalg.norm(slopes, axis=0), 0.7))
