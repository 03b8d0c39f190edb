"""Put a lesion into a healed brain: settle it, push the tissue away, write its labels, join islands of the filling."""

import numpy as np

from glioforge.core.labels import LabelMap, LabelVoxels
from glioforge.lesions.cutout import Cutout, is_lesion
from glioforge.lesions.graft import Graft, clip_box
from glioforge.lesions.islands import without_islands
from glioforge.lesions.mass_effect import MassEffectSpec, displace, push_mm


def implant(
    labels: LabelMap, base: LabelVoxels, lesion: Cutout | Graft, mass_effect: MassEffectSpec | None = None
) -> LabelMap:
    """A new map with a lesion in it.

    Args:
        labels: The map before the edit; what was lesion there is no growth.
        base: Its healed voxels; changed in place.
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


def settle(base: LabelVoxels, lesion: Cutout | Graft) -> Cutout:
    """The lesion as it settles in brain that is free of other lesions.

    A cut-out whose place is free stays as it is to the voxel.

    Raises:
        EditError: The lesion finds no room.
    """
    if isinstance(lesion, Graft):
        return lesion.settle(base)
    if _is_free(base, lesion):
        return lesion
    return Graft.of(lesion).settle(base)


def _is_free(base: LabelVoxels, lesion: Cutout) -> bool:
    """Whether every voxel of a lesion falls on tissue."""
    box, inner = clip_box(lesion.start, lesion.voxels.shape, base.shape)
    wanted = lesion.mask[inner]
    place = base[box]
    free = (place > 0) & ~is_lesion(place)
    return bool(np.count_nonzero(wanted) == np.count_nonzero(lesion.mask) and free[wanted].all())
