"""Smooth displacements that never fold, known on a lattice and used at every voxel."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

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
        a, b, c = (_interpolation(line, size) for line, size in zip(self.lattice, shape, strict=True))
        scaled = self.vectors / np.array(self.spacing)[:, None, None, None]
        full = np.einsum("vabc,ia->vibc", scaled, a, optimize=True)
        full = np.einsum("vibc,jb->vijc", full, b, optimize=True)
        return np.asarray(full @ c.T)

    def unfolded(self) -> "Displacement":
        """The field, weakened by tenths until its Jacobian is at least `LEAST_JACOBIAN` everywhere."""
        field = self
        while field.jacobian.min() < LEAST_JACOBIAN:
            field = Displacement(field.vectors * 0.9, field.lattice, field.spacing)
        return field


def _interpolation(lattice: Float64[np.ndarray, "n"], size: int) -> Float64[np.ndarray, "size n"]:
    """Matrix that interpolates lattice values linearly at the voxels 0 to size - 1."""
    units = np.eye(len(lattice))
    return np.stack([np.interp(np.arange(size), lattice, unit) for unit in units], axis=1)
