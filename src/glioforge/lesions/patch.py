"""A lesion cut out of a complete label map.

Conventions
-----------
voxels   labels of the lesion in its tight box, 0 everywhere else; a resection cavity is part of the lesion,
         as in the maps of Guo et al. 2020
start    first voxel of the box in the map that it was cut from
part     `None` for all lesion voxels, or the rank of one component by size
         (0 is the largest; parts that touch by a corner belong together)
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from glioforge.core import (
    COMPLETE,
    COMPLETE_CAVITY,
    COMPLETE_DISTRACTORS,
    COMPLETE_STRUCTURES,
    Box,
    EditError,
    Index,
    LabelError,
    LabelMap,
    LabelScheme,
    bounding_box,
)

Counts = tuple[int, ...]
"""Voxels of the regions of a lesion, in the order of `level_set`."""

CORE = tuple(COMPLETE.labels[name] for name in COMPLETE.regions["TC"])
"""Integers of the tumour core."""
NECROTIC, OEDEMA, ENHANCING, WHITE, GREY, CSF = (
    COMPLETE.labels[name] for name in ("necrotic_core", "oedema", "enhancing", "white_matter", "grey_matter", "csf")
)
CAVITY = COMPLETE_CAVITY.labels["resection_cavity"]
FLUID = (CSF, COMPLETE_STRUCTURES.labels["ventricles"])
"""Integers of fluid: CSF, and ventricles where they are a class of their own."""
_IS_FLUID = np.isin(np.arange(256), FLUID)
_IS_LESION = np.isin(np.arange(256), COMPLETE_CAVITY.lesion_values)
_LABELS = tuple(
    dict(scheme.labels) for scheme in (COMPLETE, COMPLETE_CAVITY, COMPLETE_STRUCTURES, COMPLETE_DISTRACTORS)
)


@final
@dataclass(frozen=True, eq=False)
class LesionPatch:
    """Labels of one lesion in its box.

    Args:
        voxels: Lesion labels of the complete scheme, 0 elsewhere; set read-only.
        start: First voxel of the box in its map.
        spacing: Voxel size in mm.
    """

    voxels: UInt8[np.ndarray, "a b c"]
    start: Index
    spacing: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not self.mask.any():
            raise EditError("a patch without lesion", "at least one lesion voxel", "leave the case out")
        self.voxels.setflags(write=False)

    @cached_property
    def mask(self) -> Bool[np.ndarray, "a b c"]:
        """Where the lesion is; read-only."""
        mask = is_lesion(self.voxels)
        mask.setflags(write=False)
        return mask

    @property
    def box(self) -> Box:
        """Slices of the box in its map."""
        i, j, k = (slice(s, s + n) for s, n in zip(self.start, self.voxels.shape, strict=True))
        return i, j, k

    @property
    def counts(self) -> Counts:
        """Voxels of the whole lesion, tumour core and necrotic core, and of the cavity if there is one."""
        return counts_of(self.voxels)

    @property
    def centre(self) -> tuple[float, float, float]:
        """Centroid in voxels of the map."""
        i, j, k = (float(s + c.mean()) for s, c in zip(self.start, np.nonzero(self.mask), strict=True))
        return i, j, k

    @property
    def volume_mm3(self) -> float:
        """Volume of the whole lesion."""
        return float(np.count_nonzero(self.mask) * np.prod(self.spacing))

    @property
    def digest(self) -> str:
        """Hash of labels and spacing, to tell whether a donor is still the same."""
        # Spacing is rounded, since the same grid read from NIfTI and from the store differs in its last digits.
        head = repr((self.voxels.shape, tuple(round(s, 6) for s in self.spacing))).encode()
        return hashlib.blake2b(head + self.voxels.tobytes(), digest_size=8).hexdigest()

    def moved(self, offset: Index) -> "LesionPatch":
        """The same lesion, so many voxels further."""
        i, j, k = (s + o for s, o in zip(self.start, offset, strict=True))
        return LesionPatch(self.voxels, (i, j, k), self.spacing)


def counts_of(voxels: UInt8[np.ndarray, "a b c"]) -> Counts:
    """Count the voxels of the whole lesion, tumour core and necrotic core, and of the cavity if there is one."""
    tallies = np.bincount(voxels.ravel(), minlength=CAVITY + 1)
    core, cavity = int(tallies[NECROTIC] + tallies[ENHANCING]), int(tallies[CAVITY])
    counts = core + int(tallies[OEDEMA]) + cavity, core, int(tallies[NECROTIC])
    return (*counts, cavity) if cavity else counts


def require_complete(labels: LabelMap) -> None:
    """Refuse a map that does not label normal tissue as a complete scheme does; colours and regions are free.

    Raises:
        LabelError: The scheme is another one, or the map holds no brain.
    """
    if not names_tissue(labels.scheme):
        raise LabelError(
            f"a label map in scheme {labels.scheme.name!r}",
            f"scheme {COMPLETE.name!r} or {COMPLETE_CAVITY.name!r}, where normal tissue is labelled too",
            "run `glioforge prepare`, which completes label maps",
        )
    if not labels.voxels.any():
        raise LabelError("a label map of background alone", "a brain", "leave the case out")


def names_tissue(scheme: LabelScheme) -> bool:
    """Return whether a scheme labels lesion and normal tissue as a complete one does; colours and regions are free."""
    return dict(scheme.labels) in _LABELS and set(scheme.tissue) >= set(COMPLETE.tissue)


def is_lesion(voxels: UInt8[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
    """Mask of the lesion labels; all false where there are none."""
    return np.asarray(_IS_LESION[voxels])


def is_fluid(voxels: UInt8[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
    """Mask of CSF and ventricles; all false where there are none."""
    return np.asarray(_IS_FLUID[voxels])


def relative_to(inner: Box, outer: Box) -> Box:
    """A box in the coordinates of the box around it."""
    i, j, k = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True))
    return i, j, k


def cut(labels: LabelMap, part: int | None = None) -> LesionPatch:
    """Cut out the lesion, or one part of it.

    Raises:
        LabelError: The map is not complete.
        EditError: There is no lesion, or no such part.
    """
    require_complete(labels)
    mask = is_lesion(labels.voxels)
    box = bounding_box(mask)
    if box is None:
        raise EditError("no lesion in the label map", "at least one lesion voxel", "insert one, or leave the case out")
    inside = mask[box]
    if part is not None:
        numbered, sizes = _by_size(inside)
        if not 0 <= part < len(sizes):
            raise EditError(f"lesion part {part}", f"one of the {len(sizes)} parts of the lesion (0 is the largest)")
        inside = numbered == part + 1
    voxels = np.where(inside, labels.voxels[box], np.uint8(0))
    return tight_patch(voxels, (box[0].start, box[1].start, box[2].start), labels.geometry.spacing)


def part_volumes_mm3(labels: LabelMap) -> tuple[float, ...]:
    """Volume of each part of the lesion, largest first; empty without lesion."""
    mask = is_lesion(labels.voxels)
    box = bounding_box(mask)
    if box is None:
        return ()
    return tuple(size * labels.geometry.voxel_volume for size in _by_size(mask[box])[1])


def _by_size(mask: Bool[np.ndarray, "a b c"]) -> tuple[np.ndarray, list[int]]:
    """Components numbered from 1 by falling size, and their voxel counts."""
    numbered, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    # Stable, so that of two parts of one size the first in memory stays the first whatever numpy's version.
    order = np.argsort(-sizes, kind="stable")
    rank = np.zeros(count + 1, dtype=np.int32)
    rank[order + 1] = np.arange(1, count + 1)
    return rank[numbered], [int(sizes[n]) for n in order]


def tight_patch(voxels: UInt8[np.ndarray, "a b c"], start: Index, spacing: tuple[float, float, float]) -> LesionPatch:
    """Patch of the smallest box around some lesion labels.

    Args:
        voxels: Lesion labels, 0 elsewhere.
        start: Where their first voxel lies in the map.
        spacing: Voxel size in mm.

    Raises:
        EditError: There is no lesion voxel.
    """
    inner = bounding_box(voxels > 0)
    if inner is None:
        raise EditError("a patch without lesion", "at least one lesion voxel", "leave the case out")
    i, j, k = (first + side.start for first, side in zip(start, inner, strict=True))
    return LesionPatch(voxels[inner].copy(), (i, j, k), spacing)
