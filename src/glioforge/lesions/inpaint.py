"""Inpaint a lesion with normal tissue.

Two sources of tissue: the subject's own other hemisphere, mirrored across the
mid-sagittal plane, and the nearest voxel of normal tissue.  Where the first has
none (its place is background or lesion itself) the nearest tissue steps in, so
no hole is left and no background enters the brain.
"""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from glioforge.core import Box, EditError, LabelMap, LabelVoxels
from glioforge.lesions.midline import Plane
from glioforge.lesions.patch import LesionPatch, is_lesion, relative_to

Filling = Literal["mirror", "nearest"]
"""Source of the tissue under a lesion."""


def inpainted(labels: LabelMap, patch: LesionPatch, filling: str, plane: Plane) -> LabelVoxels:
    """Copy of a map's voxels with normal tissue in place of one lesion.

    Args:
        labels: Complete map.
        patch: The lesion to take out; other lesions stay.
        filling: Where the tissue comes from, a `Filling`.
        plane: Mid-sagittal plane, for `mirror`.

    Raises:
        EditError: The filling is another one, or the brain is all lesion.
    """
    if filling not in get_args(Filling):
        raise EditError(f"a lesion filled by {filling!r}", f"one of {get_args(Filling)}", "draw the edit again")
    voxels = labels.voxels.copy()
    holes = np.zeros_like(patch.mask)
    box = patch.box
    found = np.zeros_like(patch.voxels) if filling == "nearest" else _mirrored(labels, patch, plane)
    mask = patch.mask
    voxels[box][mask] = found[mask]
    holes[mask] = found[mask] == 0
    if holes.any():
        _fill_nearest(voxels, holes, box, labels.geometry.spacing)
    return voxels


def _tissue(voxels: UInt8[np.ndarray, "a b c"]) -> UInt8[np.ndarray, "a b c"]:
    """Normal tissue alone; lesion becomes 0."""
    return np.where(is_lesion(voxels), np.uint8(0), voxels)


def _mirrored(labels: LabelMap, patch: LesionPatch, plane: Plane) -> UInt8[np.ndarray, "a b c"]:
    """Tissue at the mirror image of each lesion voxel; 0 where that is no normal tissue."""
    matrix, shift = plane.reflection(labels.geometry.spacing)
    places = np.array(np.nonzero(patch.mask))
    twins = np.rint(matrix @ (places + np.array(patch.start)[:, None]) + shift[:, None]).astype(np.int64)
    shape = np.array(labels.voxels.shape)[:, None]
    there = np.all((twins >= 0) & (twins < shape), axis=0)
    values = np.zeros(places.shape[1], dtype=np.uint8)
    values[there] = labels.voxels[tuple(twins[:, there])]
    found = np.zeros_like(patch.voxels)
    found[tuple(places)] = np.where(is_lesion(values), np.uint8(0), values)
    return found


def _fill_nearest(
    voxels: LabelVoxels, holes: Bool[np.ndarray, "a b c"], box: Box, spacing: tuple[float, float, float]
) -> None:
    """Write the nearest normal tissue into holes of a box, looking further out until there is some."""
    reach = 4
    while True:
        i, j, k = (
            slice(max(side.start - reach, 0), min(side.stop + reach, n))
            for side, n in zip(box, voxels.shape, strict=True)
        )
        around = voxels[i, j, k]
        source = _tissue(around)
        if source.any():
            break
        if around.shape == voxels.shape:
            raise EditError("a brain that is all lesion", "normal tissue to fill from", "leave the case out")
        reach *= 4
    where = relative_to(box, (i, j, k))
    wanted = np.zeros(source.shape, dtype=bool)
    wanted[where] = holes
    nearest = ndimage.distance_transform_edt(source == 0, spacing, return_distances=False, return_indices=True)
    around[wanted] = source[tuple(axis[wanted] for axis in nearest)]
