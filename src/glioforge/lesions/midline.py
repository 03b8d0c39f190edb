"""The mid-sagittal plane, found in the label map itself.

The plane is the one in which the brain's outline and its cerebrospinal fluid
agree best with their own mirror image: the correlation of a smoothed map with
its reflection is maximised over the offset and two tilts.  Voxels of the lesion
and their mirror images are left out, since a lesion has no twin.

Conventions
-----------
plane   `normal · p = offset` with p the voxel index times the voxel size, in
        mm; the normal points along the grid's left-right axis
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage, optimize

from glioforge.core import EditError, Index, LabelMap
from glioforge.lesions.displacement import Coarse, coarse_of
from glioforge.lesions.patch import is_fluid

_WIDEST_SHIFT_MM = 20.0
_WIDEST_TILT = 0.35
_FLUID_WEIGHT = 0.5
_STEP_MM = 4.0
_MOST_POINTS = 4000


@final
@dataclass(frozen=True)
class Plane:
    """A plane in the millimetres of a grid's own axes.

    Args:
        normal: Unit normal.
        offset: Distance from voxel (0, 0, 0) along the normal in mm.
    """

    normal: tuple[float, float, float]
    offset: float

    def side_of(self, points: Float64[np.ndarray, "3 n"]) -> Float64[np.ndarray, "n"]:
        """Signed distance in mm of points given in mm; positive on the side of the normal."""
        return np.asarray(np.array(self.normal) @ points - self.offset)

    def reflection(
        self, spacing: tuple[float, float, float]
    ) -> tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "3"]]:
        """Matrix and shift that mirror voxel indices."""
        normal, scale = np.array(self.normal), np.array(spacing)
        matrix = np.eye(3) - 2 * np.outer(normal, normal)
        return matrix * scale[None, :] / scale[:, None], 2 * self.offset * normal / scale

    def to_json(self) -> list[float]:
        """Four numbers: normal and offset."""
        return [*self.normal, self.offset]

    @classmethod
    def from_json(cls, values: list[float]) -> "Plane":
        """Inverse of `to_json`."""
        x, y, z, offset = values
        return cls((x, y, z), offset)


@final
@dataclass(frozen=True, eq=False)
class _Samples:
    """Smoothed map, lesion, and the points in mm at which a map and its mirror image are compared."""

    coarse: Coarse
    field: Float32[np.ndarray, "a b c"]
    lesion: Float32[np.ndarray, "a b c"]
    points: Float64[np.ndarray, "3 n"]

    def agreement(self, plane: Plane) -> float:
        """Negative mean squared difference between the map and its mirror image, off the lesion and its twin."""
        twins = self.coarse.indices(self.points - 2 * np.outer(plane.normal, plane.side_of(self.points)))
        here = _at(self.field, self.coarse.indices(self.points))
        used = (_at(self.lesion, self.coarse.indices(self.points)) < 0.1) & (_at(self.lesion, twins) < 0.1)
        if not used.any():
            return -1.0
        return -float(np.mean((here[used] - _at(self.field, twins[:, used])) ** 2))


def midsagittal_plane(labels: LabelMap) -> Plane:
    """Find the plane in which the brain mirrors itself best.

    Raises:
        EditError: The map holds no brain.
    """
    coarse = coarse_of(labels, step_mm=_STEP_MM)
    axis = labels.geometry.world_axes.index(0)
    return _search(coarse.voxels.tobytes(), coarse.voxels.shape, coarse.steps, coarse.full_spacing, axis)


@lru_cache(maxsize=16)
def _search(sampled: bytes, shape: Index, steps: Index, spacing: tuple[float, float, float], axis: int) -> Plane:
    """Plane of a sampled map, kept for the next edit of the same map."""
    voxels = np.frombuffer(sampled, dtype=np.uint8).reshape(shape)
    samples = _samples(Coarse(voxels, steps, (0, 0, 0), spacing))
    start = _best_offset(samples, axis)
    simplex = np.array([[0, 0, start], [0.06, 0, start], [0, 0.06, start], [0, 0, start + 2]], dtype=np.float64)
    options: Any = {"initial_simplex": simplex, "xatol": 2e-3, "fatol": 1e-6, "maxiter": 60}

    def badness(values: np.ndarray) -> float:
        return -samples.agreement(_plane(axis, values, samples.points))

    found = optimize.minimize(badness, simplex[0], method="Nelder-Mead", options=options)
    return _plane(axis, found.x, samples.points)


def _samples(coarse: Coarse) -> _Samples:
    """Brain less half its fluid, smoothed, and evenly spread points of it."""
    if not coarse.brain.any():
        raise EditError("a label map without brain", "brain voxels")
    sigma = [_STEP_MM / s for s in coarse.spacing]
    fluid = is_fluid(coarse.voxels) & ~coarse.lesion
    field = coarse.brain.astype(np.float32) - np.float32(_FLUID_WEIGHT) * fluid
    field = ndimage.gaussian_filter(field, sigma, mode="constant")
    lesion = ndimage.gaussian_filter(coarse.lesion.astype(np.float32), sigma, mode="constant")
    points = np.array(np.nonzero(field > 0.05), dtype=np.float64)
    points = points[:, :: max(1, points.shape[1] // _MOST_POINTS)]
    return _Samples(coarse, field, lesion, coarse.millimetres(points))


def _best_offset(samples: _Samples, axis: int) -> float:
    """Offset of the best plane without tilt, searched around the middle of the brain."""
    line = samples.points[axis]
    step = samples.coarse.spacing[axis] / 2
    reach = np.ceil(min(_WIDEST_SHIFT_MM, np.ptp(line) / 4) / step)
    offsets = (line.min() + line.max()) / 2 + np.arange(-reach, reach + 1) * step
    x, y, z = (float(n == axis) for n in range(3))
    return float(max(offsets, key=lambda o: samples.agreement(Plane((x, y, z), float(o)))))


def _plane(axis: int, tilts_and_offset: np.ndarray, points: np.ndarray) -> Plane:
    """Plane tilted about the middle of the points; rounded, so that a record holds it exactly."""
    normal = np.zeros(3)
    normal[axis] = 1.0
    first, second = (n for n in range(3) if n != axis)
    normal[[first, second]] = np.clip(tilts_and_offset[:2], -_WIDEST_TILT, _WIDEST_TILT)
    normal /= np.linalg.norm(normal)
    centre = points.mean(axis=1)
    centre[axis] = tilts_and_offset[2]
    x, y, z = (round(float(n), 9) for n in normal)
    return Plane((x, y, z), round(float(normal @ centre), 6))


def _at(field: Float32[np.ndarray, "a b c"], indices: Float64[np.ndarray, "3 n"]) -> Float32[np.ndarray, "n"]:
    """Field at fractional indices; 0 outside."""
    return np.asarray(ndimage.map_coordinates(field, indices, order=1, mode="constant", prefilter=False))
