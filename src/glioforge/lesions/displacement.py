"""Smooth displacements that never fold, known on a lattice and used at every voxel, and label maps sampled on it.

Placement, symmetry and mass effect look for smooth things; sampling a label
map on a lattice of 3-4 mm makes them fast, and what they find is checked or
applied on the full grid.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from glioforge.core import Index, LabelMap, LabelVoxels
from glioforge.lesions.patch import is_lesion


@final
@dataclass(frozen=True, eq=False)
class Coarse:
    """Every n-th voxel of a map.

    Args:
        voxels: Sampled labels.
        steps: Voxels of the full grid from one sample to the next.
        phase: Voxel of the full grid of the first sample.
        full_spacing: Voxel size of the full grid in mm.
    """

    voxels: UInt8[np.ndarray, "a b c"]
    steps: Index
    phase: Index
    full_spacing: tuple[float, float, float]

    @property
    def brain(self) -> Bool[np.ndarray, "a b c"]:
        """Brain mask."""
        return self.voxels > 0

    @property
    def lesion(self) -> Bool[np.ndarray, "a b c"]:
        """Lesion mask."""
        return is_lesion(self.voxels)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between samples in mm."""
        i, j, k = (s * n for s, n in zip(self.full_spacing, self.steps, strict=True))
        return i, j, k

    def millimetres(self, indices: Float64[np.ndarray, "3 n"]) -> Float64[np.ndarray, "3 n"]:
        """Millimetres along the full grid's axes of sample indices."""
        phase = np.array(self.phase) * np.array(self.full_spacing)
        return np.asarray(indices * np.array(self.spacing)[:, None] + phase[:, None])

    def indices(self, millimetres: Float64[np.ndarray, "3 n"]) -> Float64[np.ndarray, "3 n"]:
        """Inverse of `millimetres`."""
        phase = np.array(self.phase) * np.array(self.full_spacing)
        return np.asarray((millimetres - phase[:, None]) / np.array(self.spacing)[:, None])


def coarse_steps(spacing: tuple[float, float, float], step_mm: float) -> Index:
    """Voxels between samples that come nearest to a distance, at least 1."""
    i, j, k = (max(1, round(step_mm / s)) for s in spacing)
    return i, j, k


def coarse_of(labels: LabelMap, step_mm: float, phase: Index = (0, 0, 0)) -> Coarse:
    """Sample a label map about every `step_mm`; a small grid keeps at least 16 samples along each axis if it can."""
    return coarse_voxels(labels.voxels, labels.geometry.spacing, step_mm, phase)


def coarse_voxels(
    voxels: LabelVoxels, spacing: tuple[float, float, float], step_mm: float, phase: Index = (0, 0, 0)
) -> Coarse:
    """As `coarse_of`, for bare voxels."""
    steps = coarse_steps(spacing, step_mm)
    i, j, k = (min(step, max(1, n // 16)) for step, n in zip(steps, voxels.shape, strict=True))
    a, b, c = (p % s for p, s in zip(phase, (i, j, k), strict=True))
    return Coarse(np.ascontiguousarray(voxels[a::i, b::j, c::k]), (i, j, k), (a, b, c), spacing)


LEAST_JACOBIAN = 0.2
"""The smallest Jacobian that a displacement may have after `Displacement.unfolded`."""


@final
@dataclass(frozen=True, eq=False)
class Displacement:
    """Where the voxels of a box take their labels from.

    Args:
        vectors: `source - voxel` in mm on a lattice, `(3, a, b, c)`.
        lattice: Lattice positions along each axis, in voxels of the box.
        spacing: Voxel size in mm.
    """

    vectors: Float64[np.ndarray, "3 a b c"]
    lattice: tuple[Float64[np.ndarray, "_"], ...]
    spacing: tuple[float, float, float]

    @property
    def jacobian(self) -> Float64[np.ndarray, "a b c"]:
        """Determinant of the map from voxel to source at the lattice points."""
        steps = [line * s for line, s in zip(self.lattice, self.spacing, strict=True)]
        matrix = np.zeros((*self.vectors.shape[1:], 3, 3))
        for row in range(3):
            for column in range(3):
                if self.vectors.shape[1 + column] > 1:
                    matrix[..., row, column] = np.gradient(self.vectors[row], steps[column], axis=column)
            matrix[..., row, row] += 1
        return np.asarray(np.linalg.det(matrix))

    def voxels(self, shape: tuple[int, ...]) -> Float64[np.ndarray, "3 i j k"]:
        """Vectors in voxels at every voxel of the box, interpolated linearly."""
        full = self.vectors / np.array(self.spacing)[:, None, None, None]
        for axis, (line, size) in enumerate(zip(self.lattice, shape, strict=True), start=1):
            full = _interpolated(full, axis, line, size)
        return full

    def unfolded(self) -> "Displacement":
        """The field, weakened by tenths until its Jacobian is at least `LEAST_JACOBIAN` everywhere."""
        field = self
        while field.jacobian.min() < LEAST_JACOBIAN:
            field = Displacement(field.vectors * 0.9, field.lattice, field.spacing)
        return field


def sampled_at(voxels: LabelVoxels, vectors: Float64[np.ndarray, "3 i j k"]) -> LabelVoxels:
    """Take every voxel's label from the voxel nearest to its source.

    Args:
        voxels: Labels.
        vectors: `source - voxel` in voxels; a source outside the grid is moved to its border.
    """
    indices = np.meshgrid(*(np.arange(n) for n in voxels.shape), indexing="ij", sparse=True)
    sources = (
        np.clip(np.rint(index + way), 0, n - 1).astype(np.intp)
        for index, way, n in zip(indices, vectors, voxels.shape, strict=True)
    )
    return np.asarray(voxels[tuple(sources)])


def _interpolated(
    values: Float64[np.ndarray, "_ _ _ _"], axis: int, lattice: Float64[np.ndarray, "n"], size: int
) -> Float64[np.ndarray, "_ _ _ _"]:
    """Interpolate lattice values linearly along one axis, at the voxels 0 to size - 1."""
    # Not as a product of matrices: its last bits would depend on the number of threads of the BLAS,
    # and its many small products keep every core busy with waiting.
    places, last = np.arange(size), len(lattice) - 1
    below = np.clip(np.searchsorted(lattice, places, side="right") - 1, 0, max(last - 1, 0))
    above = np.minimum(below + 1, last)
    share = np.interp(places, lattice, np.arange(last + 1)) - below
    shape = [1, 1, 1, 1]
    shape[axis] = size
    full = np.take(values, below, axis)
    full *= (1 - share).reshape(shape)
    upper = np.take(values, above, axis)
    upper *= share.reshape(shape)
    full += upper
    return full
