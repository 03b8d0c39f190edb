"""The ventricles of a map, their border moved, and what stays still around them.

Where the map names ventricles, these are all of them.  In a map of tissue alone
they are the large components of fluid deep inside the brain where the lateral
ventricles lie: in the upper half of the brain's extent, off the fissure between
the hemispheres, and nearer to it than the insula.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy import ndimage

from glioforge.core import Box, EditError, LabelMap, bounding_box, within
from glioforge.lesions.displacement import Coarse, sampled_at
from glioforge.lesions.level_set import signed_distance
from glioforge.lesions.midline import Plane
from glioforge.lesions.patch import CSF
from glioforge.lesions.placement_map import VENTRICLE_DEPTH_MM, aside_mm, fraction_along

_SMOOTHING_MM = 2.0
_RIM_MM = 12.0
_LEAST_PART = 0.1
_LOWEST, _HIGHEST = 0.48, 0.85
_NEAREST_MM, _FURTHEST = 4.0, 0.45

Volume = Float64[np.ndarray, "a b c"]


def are_named(labels: LabelMap) -> bool:
    """Whether a map has a label of ventricles, and voxels of it."""
    return "ventricles" in labels.scheme.labels and bool(labels.region("ventricles").any())


@lru_cache(maxsize=2)
def ventricles_of(labels: LabelMap, plane: Plane) -> Bool[np.ndarray, "i j k"]:
    """Mask of the ventricles, by label or by place; read-only, since it is kept for the next edit of the same map.

    Raises:
        EditError: There are none.
    """
    found = labels.region("ventricles") if are_named(labels) else _lateral(labels, plane)
    found.setflags(write=False)
    return found


def _lateral(labels: LabelMap, plane: Plane) -> Bool[np.ndarray, "i j k"]:
    """Large components of deep fluid where the lateral ventricles lie."""
    brain, spacing = labels.foreground, labels.geometry.spacing
    aside = aside_mm(Coarse(labels.voxels, (1, 1, 1), (0, 0, 0), spacing), plane)
    height = fraction_along(brain, labels.geometry, 2)
    place = (aside >= _NEAREST_MM) & (aside < _FURTHEST * float(aside[brain].max()))
    place &= (height >= _LOWEST) & (height <= _HIGHEST)
    depth = ndimage.distance_transform_edt(np.pad(brain, 1), spacing)[1:-1, 1:-1, 1:-1]
    parts, count = ndimage.label((labels.voxels == CSF) & place & ~within(depth, VENTRICLE_DEPTH_MM))
    if not count:
        raise EditError("a label map without ventricles", "fluid deep inside the brain", "leave the case out")
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= _LEAST_PART * sizes.max())[parts] & (parts > 0))


def still_around(labels: LabelMap, nearest_tissue: UInt8[np.ndarray, "a b c"]) -> Bool[np.ndarray, "a b c"]:
    """Mask of what does not move: no brain, and brainstem and cerebellum with the fourth ventricle between them.

    Args:
        labels: Map whose scheme may name brainstem and cerebellum.
        nearest_tissue: Labels of a box of it, in which ventricles have the label of the tissue nearest to them.
    """
    names = ("brainstem", "cerebellum_white", "cerebellum_grey")
    values = [labels.scheme.labels[name] for name in names if name in labels.scheme.labels]
    return np.isin(nearest_tissue, [0, *values])


def depth_mm(labels: LabelMap, plane: Plane) -> float:
    """Depth of the ventricles: how far their innermost voxel lies from their border; errors as `ventricles_of`."""
    return -float(_outwards(ventricles_of(labels, plane), labels.geometry.spacing).min())


@lru_cache(maxsize=1)
def with_moved_border(labels: LabelMap, plane: Plane, by_mm: float, reach_mm: float) -> LabelMap:
    """Move the border of the ventricles; kept from a draw, which tries it, for the edit that follows.

    Args:
        labels: Complete map.
        plane: Mid-sagittal plane.
        by_mm: How far the border moves outwards; negative narrows the ventricles, 0 gives the map back.
        reach_mm: Distance from the ventricles beyond which nothing changes.

    Raises:
        EditError: The map holds no ventricles.
    """
    ventricles = ventricles_of(labels, plane)
    box = bounding_box(labels.foreground)
    if by_mm == 0 or box is None:
        return labels
    voxels = labels.voxels.copy()
    voxels[box] = _moved(labels, box, ventricles[box], by_mm, reach_mm)
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
