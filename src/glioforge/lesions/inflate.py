"""Give a lesion that was sampled as a slice a depth, so that it can be put into a volume.

A slice says nothing of what lies above and below it.  Here every piece becomes as deep as it
is wide: a disc becomes a ball, and an elongated outline a body whose sections shrink towards
its ends.  Core and necrosis are inflated by the same rule within the region around
them, and the middle section is the slice itself.

The rule is Glioforge's own: with `f` the distance to the outline in mm and `R` the largest such
distance of a piece, a point `z` mm off the slice belongs to it where `z**2 < R**2 - (R - f)**2`.
"""

import numpy as np
from jaxtyping import Bool, Float64
from scipy import ndimage

from glioforge.core import Geometry, LabelMap
from glioforge.data import thin_axis
from glioforge.lesions.level_set import nested_masks, signed_distance
from glioforge.lesions.patch import ENHANCING, NECROTIC, OEDEMA

Plane = Bool[np.ndarray, "i j k"]


def inflated(labels: LabelMap) -> LabelMap:
    """Return a volume whose middle section is the lesion of a slice, and nothing else; a volume as it is.

    Args:
        labels: Complete labels, one voxel thick along one axis; without lesion the result is empty.

    Returns:
        Lesion labels alone, on a grid as fine across the slice as within it.
    """
    axis = thin_axis(labels.geometry)
    if axis is None:
        return labels
    spacing = labels.geometry.spacing
    step = float(np.mean([s for a, s in enumerate(spacing) if a != axis]))
    reaches = [_reach(mask, spacing) for mask in nested_masks(labels.voxels)[:3]]
    depth = int(np.ceil(reaches[0].max() / step))
    shape = [1, 1, 1]
    shape[axis] = 2 * depth + 1
    off = np.abs(np.arange(-depth, depth + 1) * step).reshape(shape)
    whole, core, necrotic = (reach > off for reach in reaches)
    voxels = np.where(whole, OEDEMA, 0)
    voxels = np.where(whole & core, ENHANCING, voxels)
    voxels = np.where(whole & core & necrotic, NECROTIC, voxels)
    return LabelMap(voxels.astype(np.uint8), _thickened(labels.geometry, axis, depth, step), labels.scheme)


def _reach(mask: Plane, spacing: tuple[float, float, float]) -> Float64[np.ndarray, "i j k"]:
    """How far in mm a region reaches off the slice at each voxel; 0 outside."""
    if not mask.any():
        return np.zeros(mask.shape)
    inside = np.where(mask, signed_distance(mask, spacing), 0.0)
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3)))
    largest = np.concatenate([[0.0], ndimage.maximum(inside, pieces, np.arange(1, count + 1))])[pieces]
    return np.asarray(np.sqrt(np.maximum(largest**2 - (largest - inside) ** 2, 0.0)))


def _thickened(geometry: Geometry, axis: int, depth: int, step: float) -> Geometry:
    """The slice's grid with as many voxels on both sides."""
    affine = geometry.affine.copy()
    affine[:3, axis] *= step / geometry.spacing[axis]
    affine[:3, 3] -= affine[:3, axis] * depth
    shape = [*geometry.shape]
    shape[axis] = 2 * depth + 1
    return Geometry((shape[0], shape[1], shape[2]), affine)
