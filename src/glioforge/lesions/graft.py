"""A lesion on its way to another place, size or shape.

A graft holds the nested signed distances of a lesion (`level_set`) on a box of
the target grid, and how many voxels each region shall have.  `settle` turns it
into labels where the target allows lesion.
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy import ndimage

from glioforge.core import Box, EditError, Index, LabelVoxels
from glioforge.lesions.displacement import Displacement
from glioforge.lesions.level_set import Fields, fields_of, innermost, labels_from
from glioforge.lesions.patch import Counts, LesionPatch, is_lesion, tight_patch

MARGIN_MM = 6.0
"""Room around a lesion in which it may settle when part of its place is taken."""

Matrix = Float64[np.ndarray, "3 3"]
Array = Float64[np.ndarray, "3"]
Point = tuple[float, float, float]


@final
@dataclass(frozen=True, eq=False)
class Graft:
    """Signed distances of a lesion's regions on a box of a grid.

    Args:
        fields: Distances of the whole lesion, TC and necrotic core in mm, and of the cavity if it has one; an outline
            has the first alone.
        start: First voxel of the box; it may reach outside the grid.
        counts: Voxels that these regions shall have.
        spacing: Voxel size in mm.
    """

    fields: Fields
    start: Index
    counts: Counts
    spacing: tuple[float, float, float]

    @classmethod
    def of(cls, patch: LesionPatch, margin_mm: float = MARGIN_MM, *, growth_mm: float = 0.0) -> "Graft":
        """Graft that settles to the very lesion it was made of; `growth_mm` widens its box for a larger lesion."""
        margin = margin_voxels(margin_mm + growth_mm, patch.spacing)
        fields = _fields(patch.voxels.tobytes(), patch.voxels.shape, margin, patch.spacing)
        i, j, k = (s - m for s, m in zip(patch.start, margin, strict=True))
        return cls(fields, (i, j, k), patch.counts, patch.spacing)

    @property
    def outline(self) -> "Graft":
        """The graft of the whole lesion alone, which is all that a search for a valid place or size looks at."""
        return replace(self, fields=self.fields[:1], counts=self.counts[:1])

    def moved(self, offset: Index) -> "Graft":
        """The same graft, so many voxels further."""
        i, j, k = (s + o for s, o in zip(self.start, offset, strict=True))
        return replace(self, start=(i, j, k))

    def mapped(self, forward: Matrix, centre: Point, target: Point, spacing: tuple[float, float, float]) -> "Graft":
        """Graft under an affine map in mm that takes one point to another.

        Counts follow the map's volume factor, so that the volume in mm³ is
        multiplied by its determinant whatever the two spacings are.

        Args:
            forward: Linear part, mm to mm.
            centre: Point of this grid in voxels.
            target: Where it goes, in voxels of the new grid.
            spacing: Voxel size of the new grid in mm.
        """
        factor = abs(float(np.linalg.det(forward))) * float(np.prod(self.spacing)) / float(np.prod(spacing))
        voxels = np.diag(1 / np.array(spacing)) @ forward @ np.diag(self.spacing)
        margin = margin_voxels(MARGIN_MM, spacing)
        start, shape = self._target_box(voxels, np.array(centre), np.array(target), margin)
        backward = np.linalg.inv(voxels)
        shift = backward @ (np.array(start) - np.array(target)) + np.array(centre) - np.array(self.start)
        growth = float(abs(np.linalg.det(forward)) ** (1 / 3))
        fields = np.stack(
            [ndimage.affine_transform(f, backward, shift, shape, order=1, mode="nearest") for f in self.fields]
        )
        return Graft(fields * np.float32(growth), start, scaled_counts(self.counts, factor), spacing)

    def warped(self, field: Displacement) -> "Graft":
        """Graft whose voxels take their distances from where a displacement of its box points to; counts stay."""
        moved = field.voxels(self.fields.shape[1:])
        moved += np.indices(self.fields.shape[1:], dtype=np.float64)
        fields = np.stack([ndimage.map_coordinates(f, moved, order=1, mode="nearest") for f in self.fields])
        return replace(self, fields=fields)

    def settle(self, base: LabelVoxels) -> LesionPatch:
        """Labels of the lesion in a inpainted map, within brain that is free of other lesions.

        Raises:
            EditError: There is not room enough.
        """
        box, inner = clip_box(self.start, self.fields.shape[1:], base.shape)
        allowed = (base[box] > 0) & ~is_lesion(base[box])
        return self._labelled(self.fields[(slice(None), *inner)], allowed, box)

    def free(self) -> LesionPatch:
        """Labels of the lesion where nothing stands in its way; its box may reach outside the grid."""
        i, j, k = (slice(s, s + n) for s, n in zip(self.start, self.fields.shape[1:], strict=True))
        return self._labelled(self.fields, np.ones(self.fields.shape[1:], dtype=bool), (i, j, k))

    def innermost_core(self, share: float) -> Int[np.ndarray, "3 n"]:
        """Voxels, in the map, of the innermost share of the tumour core."""
        core = self.fields[1] > 0
        hollow = innermost(self.fields[1], core, round(share * int(core.sum())))
        return np.array(np.nonzero(hollow)) + np.array(self.start)[:, None]

    def _labelled(self, fields: Fields, allowed: Bool[np.ndarray, "a b c"], box: Box) -> LesionPatch:
        """Patch of the asked counts within the allowed voxels of a box."""
        voxels = labels_from(fields, allowed, self.counts)
        return tight_patch(voxels, (box[0].start, box[1].start, box[2].start), self.spacing)

    @cached_property
    def _ends(self) -> Int[np.ndarray, "3 n"]:
        """First and last lesion voxel of every line along the first axis; a linear map is extreme at some of them."""
        inside = self.fields[0] > 0
        lines = np.array(np.nonzero(inside.any(axis=0)))
        first = inside.argmax(axis=0)[tuple(lines)]
        last = inside.shape[0] - 1 - inside[::-1].argmax(axis=0)[tuple(lines)]
        return np.concatenate([np.stack([ends, *lines]) for ends in (first, last)], axis=1)

    def _target_box(self, voxels: Matrix, centre: Array, target: Array, margin: Index) -> tuple[Index, Index]:
        """Box of the new grid around the mapped lesion, with a margin."""
        places = self._ends + (np.array(self.start) - centre)[:, None]
        mapped = voxels @ places + target[:, None]
        low = np.floor(mapped.min(axis=1) + 1e-6).astype(int) - np.array(margin)
        high = np.ceil(mapped.max(axis=1) - 1e-6).astype(int) + np.array(margin)
        i, j, k = (int(n) for n in low)
        a, b, c = (int(n) for n in high - low + 1)
        return (i, j, k), (a, b, c)


@lru_cache(maxsize=2)
def _fields(voxels: bytes, shape: Index, margin: Index, spacing: tuple[float, float, float]) -> Fields:
    """Fields of padded labels, kept for the edit that is drawn and then applied; set read-only."""
    labels = np.frombuffer(voxels, dtype=np.uint8).reshape(shape)
    fields = fields_of(np.pad(labels, [(m, m) for m in margin]), spacing)
    fields.setflags(write=False)
    return fields


def margin_voxels(margin_mm: float, spacing: tuple[float, float, float]) -> Index:
    """Millimetres in whole voxels of each axis, at least 2."""
    i, j, k = (max(2, int(np.ceil(margin_mm / s))) for s in spacing)
    return i, j, k


def scaled_counts(counts: Counts, factor: float) -> Counts:
    """Return counts times a factor; a region that is there keeps a voxel and stays within the one around it.

    Where the lesion is too small for all of its regions, a cavity takes its voxels first, then the core.

    Example:
        >>> scaled_counts((100, 40, 3), 0.1), scaled_counts((100, 40, 3, 20), 0.1)
        ((10, 4, 1), (10, 4, 1, 2))
    """
    whole, *inner = (max(1, round(n * factor)) if n else 0 for n in counts)
    if not inner:
        return (whole,)
    core, necrotic, *cavity = inner
    hollow = [min(n, whole) for n in cavity]
    core = min(core, whole - sum(hollow))
    return whole, core, min(necrotic, core), *hollow


def clip_box(start: Index, shape: Index | tuple[int, ...], grid: Index | tuple[int, ...]) -> tuple[Box, Box]:
    """Part of a box within a grid: its slices in the grid, and in the box itself.

    Raises:
        EditError: The box lies outside.
    """
    outer, inner = [], []
    for first, size, limit in zip(start, shape, grid, strict=True):
        low, high = max(first, 0), min(first + size, limit)
        if low >= high:
            raise EditError(f"a place that starts at voxel {start}", f"a place within the grid {tuple(grid)}")
        outer.append(slice(low, high))
        inner.append(slice(low - first, high - first))
    return (outer[0], outer[1], outer[2]), (inner[0], inner[1], inner[2])
