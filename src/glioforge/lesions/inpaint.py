"""Inpaint a lesion with normal tissue, and put another into the inpainted brain.

Two sources of tissue: the subject's own other hemisphere, mirrored across the
mid-sagittal plane, and the nearest voxel of normal tissue.  Where the first has
none (its place is background or lesion itself) the nearest tissue steps in, so
no hole is left and no background enters the brain.

The other lesion is put in by four steps: settle it, push the tissue away, write its
labels, join islands.  An island is a component of a class that lies wholly where the
lesion was and has no counterpart around it: a ball of grey matter inside white matter,
or fluid inside white matter.  It takes the class that is most frequent among its
neighbours.  Components are those of `patch`: voxels that touch by a corner belong
together.
"""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Int, UInt8
from scipy import ndimage

from glioforge.core import Box, EditError, LabelMap, LabelVoxels, bounding_box
from glioforge.lesions.graft import Graft, clip_box
from glioforge.lesions.mass_effect import MassEffectSpec, displace, push_mm
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


_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def implant(
    labels: LabelMap, base: LabelVoxels, lesion: LesionPatch | Graft, mass_effect: MassEffectSpec | None = None
) -> LabelMap:
    """A new map with a lesion in it.

    Args:
        labels: The map before the edit; what was lesion there is no growth.
        base: Its inpainted voxels; changed in place.
        lesion: The lesion; where its place is taken it gives way and keeps its volume.
        mass_effect: How its growth displaces tissue; not at all without.

    Raises:
        EditError: The lesion finds no room.
    """
    settled = settle(base, lesion)
    if mass_effect is not None:
        displace(base, settled, push_mm(settled, labels.voxels[settled.box], mass_effect), mass_effect)
    base[settled.box][settled.mask] = settled.voxels[settled.mask]
    return without_islands(labels, base)


def settle(base: LabelVoxels, lesion: LesionPatch | Graft) -> LesionPatch:
    """The lesion as it settles in brain that is free of other lesions.

    A patch whose place is free stays as it is to the voxel.

    Raises:
        EditError: The lesion finds no room.
    """
    if isinstance(lesion, Graft):
        return lesion.settle(base)
    if _is_free(base, lesion):
        return lesion
    return Graft.of(lesion).settle(base)


def _is_free(base: LabelVoxels, lesion: LesionPatch) -> bool:
    """Whether every voxel of a lesion falls on tissue."""
    box, inner = clip_box(lesion.start, lesion.voxels.shape, base.shape)
    wanted = lesion.mask[inner]
    place = base[box]
    free = (place > 0) & ~is_lesion(place)
    return bool(np.count_nonzero(wanted) == np.count_nonzero(lesion.mask) and free[wanted].all())


def without_islands(before: LabelMap, after: LabelVoxels) -> LabelMap:
    """Return the map after an edit, without islands where the lesion was.

    Args:
        before: The map before the edit; what was lesion there and is tissue now has been filled.
        after: Voxels after the edit; changed in place.

    Returns:
        The map of these voxels.  An island whose neighbours are all lesion or background stays as it is.
    """
    filled = is_lesion(before.voxels) & (after > 0) & ~is_lesion(after)
    box = bounding_box(filled, (1, 1, 1))
    if box is not None:
        _join(after[box], filled[box])
    return before.with_voxels(after)


def islands_of(voxels: UInt8[np.ndarray, "a b c"], filled: Bool[np.ndarray, "a b c"]) -> Int[np.ndarray, "a b c"]:
    """Number the components of each tissue class that lie wholly within a mask, from 1; 0 elsewhere.

    Example:
        >>> voxels = np.full((5, 5, 5), 4, dtype=np.uint8)
        >>> voxels[2, 2, 2] = 5
        >>> int(islands_of(voxels, np.pad(np.ones((3, 3, 3), dtype=bool), 1)).sum())
        1
    """
    numbered = np.zeros(voxels.shape, dtype=np.int64)
    first = 0
    for value in np.unique(voxels[filled]):
        parts, count = ndimage.label(voxels == value, structure=_NEIGHBOURS)
        isolated = np.ones(count + 1, dtype=bool)
        isolated[0] = False
        isolated[parts[~filled]] = False
        rank = np.where(isolated, first + np.cumsum(isolated), 0)
        numbered += rank[parts]
        first += int(isolated.sum())
    return numbered


def _join(voxels: UInt8[np.ndarray, "a b c"], filled: Bool[np.ndarray, "a b c"]) -> None:
    """Give islands the class around them, from outside inwards, in place; the smallest value wins a tie."""
    islands = islands_of(voxels, filled)
    pending = list(enumerate(ndimage.find_objects(islands), start=1))
    while pending:
        settled = np.where((islands > 0) | is_lesion(voxels), np.uint8(0), voxels)
        joined = []
        for number, place in pending:
            wide = tuple(
                slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(place, voxels.shape, strict=True)
            )
            island = islands[wide] == number
            around = settled[wide][ndimage.binary_dilation(island, _NEIGHBOURS) & ~island]
            if around.any():
                voxels[wide][island] = np.bincount(around[around > 0]).argmax()
                joined.append((number, wide, island))
        for _, wide, island in joined:
            islands[wide][island] = 0
        done = {number for number, _, _ in joined}
        if not done:
            return
        pending = [(number, place) for number, place in pending if number not in done]
