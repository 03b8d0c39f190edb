"""Widen or narrow the ventricles (Shin et al. 2018 alter "the brain label").

The border of the ventricles moves by a distance, and the tissue between it and
a reach is squeezed or stretched along the smoothed distance from them, evenly
along each line; a lesion there moves with it.  Towards the outline of the brain
both die away, so that the outline stays as it is; towards brainstem and
cerebellum, where the map names them, so that the fourth ventricle does too.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from pydantic import Field
from scipy import ndimage

from glioforge.config.spec import Spec
from glioforge.core.labels import LabelMap
from glioforge.core.protocols import EditRecord
from glioforge.lesions.base import EDITS, NOTHING, Range, Sources, uniform
from glioforge.lesions.brain_edit import sampled_at, weakened
from glioforge.lesions.cutout import CSF, Box, box_of, require_complete
from glioforge.lesions.level_set import signed_distance
from glioforge.lesions.midline import Plane, midsagittal_plane
from glioforge.lesions.ventricles import are_named, still_around, ventricles_of

_SMOOTHING_MM = 2.0
_RIM_MM = 12.0
_MOST_NARROWED = 0.5
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
    """Move the border of the ventricles; record: `by_mm`, `reach_mm`, `plane`."""

    spec: WidenVentriclesSpec = field(default_factory=WidenVentriclesSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw the way; it is shortened to half the depth of the ventricles, and where a class would vanish.

        Raises:
            EditError: The map holds no ventricles.
        """
        require_complete(labels)
        reach, plane = self.spec.reach_mm, midsagittal_plane(labels)
        by_mm = min(uniform(rng, self.spec.by_mm), _MOST_OF_REACH * reach)
        deepest = float(_outwards(ventricles_of(labels, plane), labels.geometry.spacing).min())
        by_mm = max(by_mm, _MOST_NARROWED * deepest)

        def record_of(share: float) -> EditRecord:
            return EditRecord(
                "widen_ventricles", {"by_mm": round(by_mm * share, 6), "reach_mm": reach, "plane": plane.to_json()}
            )

        return weakened(labels, self.apply, record_of)

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Move the border; a way of 0 gives the map back.

        Raises:
            EditError: The map holds no ventricles.
        """
        require_complete(labels)
        values = record.values
        return _widened(labels, Plane.from_json(values["plane"]), float(values["by_mm"]), float(values["reach_mm"]))


@lru_cache(maxsize=1)
def _widened(labels: LabelMap, plane: Plane, by_mm: float, reach: float) -> LabelMap:
    """Map with a moved border, kept from the draw, which tries it, for the edit that follows."""
    ventricles = ventricles_of(labels, plane)
    box = box_of(labels.voxels > 0)
    if by_mm == 0 or box is None:
        return labels
    voxels = labels.voxels.copy()
    voxels[box] = _moved(labels, box, ventricles[box], by_mm, reach)
    return labels.with_voxels(voxels)


def _outwards(ventricles: Bool[np.ndarray, "a b c"], spacing: tuple[float, float, float]) -> Volume:
    """Distance from the border of the ventricles in mm, negative inside."""
    return -signed_distance(ventricles, spacing).astype(np.float64)


def _moved(
    labels: LabelMap, box: Box, ventricles: Bool[np.ndarray, "a b c"], by_mm: float, reach: float
) -> UInt8[np.ndarray, "a b c"]:
    """Labels of the brain's box after the border of the ventricles has moved."""
    voxels, spacing = labels.voxels[box], labels.geometry.spacing
    fluid = np.uint8(labels.scheme.labels["ventricles"] if are_named(labels) else CSF)
    tissue = np.where(ventricles, np.uint8(0), voxels)
    nearest = ndimage.distance_transform_edt(tissue == 0, spacing, return_distances=False, return_indices=True)
    known = np.where(ventricles, tissue[tuple(nearest)], voxels)
    distance, way = _outwards(ventricles, spacing), by_mm * _freedom(still_around(labels, known), spacing)
    stretched = np.where(distance < reach, (distance - way) * reach / (reach - way), distance)
    vectors = _direction(distance, spacing) * (stretched - distance) / np.array(spacing)[:, None, None, None]
    found = sampled_at(tissue, vectors)
    found = np.where(found == 0, known, found)
    return np.where(voxels == 0, voxels, np.where(distance <= way, fluid, found))


def _freedom(still: Bool[np.ndarray, "a b c"], spacing: tuple[float, float, float]) -> Volume:
    """Weight that rises smoothly from 0 next to what is still to 1 a rim further away."""
    away = ndimage.distance_transform_edt(np.pad(~still, 1), spacing)[1:-1, 1:-1, 1:-1] - min(spacing)
    rim = np.clip(away / _RIM_MM, 0, 1)
    return np.asarray(rim**2 * (3 - 2 * rim))


def _direction(distance: Volume, spacing: tuple[float, float, float]) -> Float64[np.ndarray, "3 a b c"]:
    """Unit vectors away from the ventricles; shorter where the nearest ventricle changes sides."""
    smooth = ndimage.gaussian_filter(distance, [_SMOOTHING_MM / s for s in spacing], mode="nearest")
    slopes = np.stack([np.gradient(smooth, step, axis=axis) for axis, step in enumerate(spacing)])
    return np.asarray(slopes / np.maximum(np.linalg.norm(slopes, axis=0), 0.7))
