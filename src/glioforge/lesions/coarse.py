"""A label map sampled every few millimetres, for searches that need no single voxel.

Placement, symmetry and mass effect look for smooth things; sampling them on a
lattice of 3-4 mm makes them fast, and what they find is checked or applied on
the full grid.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from glioforge.core.geometry import Index
from glioforge.core.labels import LabelMap, LabelVoxels
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
