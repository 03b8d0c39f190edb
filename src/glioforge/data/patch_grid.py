"""The grid of one case that patches are cut from: its voxels in memory or in the store, its brain and its tumour."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Int16, Int64, UInt8

from glioforge.core import CaseRef, Index, Modality
from glioforge.data.packed import Packed
from glioforge.data.sampling import parts_of, scales_of
from glioforge.data.slices import read_patch
from glioforge.data.store import read_packed


@final
@dataclass(frozen=True, eq=False)
class Places:
    """How many voxels of a mask lie in the slices up to each."""

    sums: Int64[np.ndarray, "k"]

    @property
    def count(self) -> int:
        """Voxels of the mask."""
        return int(self.sums[-1])

    def slice_at(self, rng: np.random.Generator) -> int:
        """Slice of a voxel drawn from all of them alike."""
        return int(np.searchsorted(self.sums, rng.integers(self.count), side="right"))


@final
@dataclass(frozen=True, eq=False)
class Grid:
    """One case, and where its brain and tumour lie."""

    voxels: "Voxels | StoredVoxels"
    scales: np.ndarray
    shape: Index
    table: np.ndarray
    brain_places: Places
    lesion_places: Places

    def brain_at(self, rng: np.random.Generator) -> Index:
        """A random voxel of the brain."""
        k = self.brain_places.slice_at(rng)
        return _voxel_at(self._slice(k).brain[0], k, rng)

    def lesion_at(self, rng: np.random.Generator) -> Index:
        """A random voxel of the tumour."""
        k = self.lesion_places.slice_at(rng)
        return _voxel_at(self.table[self._slice(k).labels[0]], k, rng)

    def _slice(self, k: int) -> "Voxels":
        """One axial slice."""
        i, j, _ = self.shape
        return self.voxels.box(slice(0, i), slice(0, j), slice(k, k + 1))


@final
@dataclass(frozen=True, eq=False)
class Voxels:
    """Voxels in memory, axes as they are stored."""

    images: Int16[np.ndarray, "k c i j"]
    labels: UInt8[np.ndarray, "k i j"]
    brain: Bool[np.ndarray, "k i j"]

    def box(self, i: slice, j: slice, k: slice) -> "Voxels":
        """The voxels of a box."""
        return Voxels(self.images[k, :, i, j], self.labels[k, i, j], self.brain[k, i, j])


@final
@dataclass(frozen=True, eq=False)
class StoredVoxels:
    """Voxels of a case of the store, read when they are asked for."""

    ref: CaseRef
    modalities: tuple[Modality, ...]
    gaps: bool

    def box(self, i: slice, j: slice, k: slice) -> Voxels:
        """The voxels of a box; nothing is read for an empty one."""
        wanted = [range(side.start, side.stop) for side in (i, j, k)]
        if not all(wanted):
            shape = len(wanted[2]), len(wanted[0]), len(wanted[1])
            images = np.zeros((shape[0], len(self.modalities), *shape[1:]), np.int16)
            return Voxels(images, np.zeros(shape, np.uint8), np.zeros(shape, bool))
        packed = read_patch(self.ref, (i.start, j.start, k.start), (len(wanted[0]), len(wanted[1]), len(wanted[2])))
        channels, labels, brain = parts_of(packed, self.modalities, self.ref.case_id, gaps=self.gaps)
        return Voxels(packed.images[:, channels], labels, brain)


def grid_of(ref: CaseRef, modalities: tuple[Modality, ...], table: np.ndarray, *, gaps: bool, held: bool) -> Grid:
    """One case with the contrasts asked for, its voxels in memory or in the store."""
    voxels, scales = held_voxels(read_packed(ref), modalities, ref.case_id, gaps=gaps)
    return grid_around(voxels, scales, voxels if held else StoredVoxels(ref, modalities, gaps), table)


def held_voxels(
    packed: Packed, modalities: tuple[Modality, ...], case_id: str, *, gaps: bool
) -> tuple["Voxels", np.ndarray]:
    """Voxels of a case in memory, with the contrasts asked for, and the scales of these."""
    channels, labels, brain = parts_of(packed, modalities, case_id, gaps=gaps)
    voxels = Voxels(np.ascontiguousarray(packed.images[:, channels]), labels, brain)
    return voxels, scales_of(packed, channels)[:, None, None, None]


def grid_around(voxels: "Voxels", scales: np.ndarray, kept: "Voxels | StoredVoxels", table: np.ndarray) -> Grid:
    """A case whose places are found in its voxels; `kept` is what patches are cut from."""
    masks = voxels.brain, table[voxels.labels]
    places = [Places(np.cumsum(mask.sum(axis=(1, 2), dtype=np.int64))) for mask in masks]
    k, i, j = voxels.labels.shape
    return Grid(kept, scales, (i, j, k), table, *places)


def _voxel_at(mask: np.ndarray, k: int, rng: np.random.Generator) -> Index:
    """A random voxel of one slice's mask."""
    found = np.flatnonzero(mask)
    i, j = divmod(int(found[int(rng.integers(len(found)))]), mask.shape[1])
    return i, j, k
