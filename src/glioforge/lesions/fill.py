"""What lies where the lesion was.

Three sources of tissue: the subject's own other hemisphere, mirrored across the
mid-sagittal plane; an atlas label map on the same grid; the nearest voxel of
normal tissue.  Where the first two have none (their place is background or
lesion itself) the nearest tissue steps in, so no hole is left and no background
enters the brain.
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap, LabelVoxels
from glioforge.lesions.cutout import Box, Cutout, is_lesion, within
from glioforge.lesions.midline import Plane

Filling = Literal["mirror", "atlas", "nearest"]
"""Source of the tissue under a lesion."""


@final
@dataclass(frozen=True, eq=False)
class TissueAtlas:
    """A complete label map of normal anatomy, on the grid of the maps to edit.

    Args:
        name: Kept in the record.
        labels: The map; its lesion, if any, is passed over.
        subjects: People behind it; they enter the lineage.
    """

    name: str
    labels: LabelMap
    subjects: tuple[str, ...] = ()


def healed(
    labels: LabelMap, cutout: Cutout, filling: Filling, plane: Plane | None = None, atlas: TissueAtlas | None = None
) -> LabelVoxels:
    """Copy of a map's voxels with normal tissue in place of one lesion.

    Args:
        labels: Complete map.
        cutout: The lesion to take out; other lesions stay.
        filling: Where the tissue comes from.
        plane: Mid-sagittal plane, for `mirror`.
        atlas: The atlas, for `atlas`.

    Raises:
        EditError: Plane or atlas is needed and absent, or the brain is all lesion.
        GeometryError: The atlas lies on another grid.
    """
    voxels = labels.voxels.copy()
    holes = np.zeros_like(cutout.mask)
    box = cutout.box
    if filling == "nearest":
        found = np.zeros_like(cutout.voxels)
    elif filling == "atlas":
        found = _tissue(_require_atlas(labels, atlas).labels.voxels[box])
    else:
        found = _mirrored(labels, cutout, plane)
    mask = cutout.mask
    voxels[box][mask] = found[mask]
    holes[mask] = found[mask] == 0
    if holes.any():
        _fill_nearest(voxels, holes, box, labels.geometry.spacing)
    return voxels


def _require_atlas(labels: LabelMap, atlas: TissueAtlas | None) -> TissueAtlas:
    """The atlas, on the map's grid."""
    if atlas is None:
        raise EditError("filling from an atlas without one", "an atlas label map", "hand one in, or fill by `mirror`")
    labels.geometry.require_same(atlas.labels.geometry, f"atlas {atlas.name!r}")
    return atlas


def _tissue(voxels: UInt8[np.ndarray, "a b c"]) -> UInt8[np.ndarray, "a b c"]:
    """Normal tissue alone; lesion becomes 0."""
    return np.where(is_lesion(voxels), np.uint8(0), voxels)


def _mirrored(labels: LabelMap, cutout: Cutout, plane: Plane | None) -> UInt8[np.ndarray, "a b c"]:
    """Tissue at the mirror image of each lesion voxel; 0 where that is no normal tissue."""
    if plane is None:
        raise EditError("filling from the other hemisphere without a plane", "the mid-sagittal plane")
    matrix, shift = plane.reflection(labels.geometry.spacing)
    places = np.array(np.nonzero(cutout.mask))
    twins = np.rint(matrix @ (places + np.array(cutout.start)[:, None]) + shift[:, None]).astype(np.int64)
    shape = np.array(labels.voxels.shape)[:, None]
    there = np.all((twins >= 0) & (twins < shape), axis=0)
    values = np.zeros(places.shape[1], dtype=np.uint8)
    values[there] = labels.voxels[tuple(twins[:, there])]
    found = np.zeros_like(cutout.voxels)
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
    where = within(box, (i, j, k))
    wanted = np.zeros(source.shape, dtype=bool)
    wanted[where] = holes
    nearest = ndimage.distance_transform_edt(source == 0, spacing, return_distances=False, return_indices=True)
    around[wanted] = source[tuple(axis[wanted] for axis in nearest)]
