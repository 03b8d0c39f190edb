"""Put a lesion into an inpainted brain: settle it, push the tissue away, write its labels, join islands.

An island is a component of a class that lies wholly where the lesion was and
has no counterpart around it: a ball of grey matter inside white matter, or fluid
inside white matter.  It takes the class that is most frequent among its
neighbours.  Components are those of `patch`: voxels that touch by a corner
belong together.
"""

import numpy as np
from jaxtyping import Bool, Int, UInt8
from scipy import ndimage

from glioforge.core import LabelMap, LabelVoxels, bounding_box
from glioforge.lesions.graft import Graft, clip_box
from glioforge.lesions.mass_effect import MassEffectSpec, displace, push_mm
from glioforge.lesions.patch import LesionPatch, is_lesion

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
