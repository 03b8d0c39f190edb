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
from typing import final

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage, optimize

from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap
from glioforge.lesions.coarse import Coarse, coarse_of
from glioforge.lesions.cutout import CSF

_WIDEST_SHIFT_MM = 20.0
_WIDEST_TILT = 0.35
_TISSUE_WEIGHT = 0.5


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


def midsagittal_plane(labels: LabelMap) -> Plane:
    """Find the plane in which the brain mirrors itself best.

    Raises:
        EditError: The map holds no brain.
    """
    coarse = coarse_of(labels, step_mm=3.0)
    if not coarse.brain.any():
        raise EditError("a label map without brain", "brain voxels")
    axis = labels.geometry.world_axes.index(0)
    field, points, used = _symmetry_samples(coarse)
    start = _best_offset(coarse, axis, field, points[:, used])

    def badness(tilts_and_offset: np.ndarray) -> float:
        plane = _plane(axis, tilts_and_offset, points)
        return -_agreement(plane, coarse, field, points[:, used])

    simplex = np.array([[0, 0, start], [0.06, 0, start], [0, 0.06, start], [0, 0, start + 2]], dtype=np.float64)
    found = optimize.minimize(
        badness, simplex[0], method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-5, "maxiter": 80},
    )
    return _plane(axis, found.x, points)


def _symmetry_samples(
    coarse: Coarse,
) -> tuple[Float32[np.ndarray, "a b c"], Float64[np.ndarray, "3 n"], np.ndarray]:
    """Smoothed map, its points in mm, and which of them are compared (brain without lesion and its surroundings)."""
    fluid = (coarse.voxels == CSF) & ~coarse.lesion
    field = coarse.brain.astype(np.float32) - np.float32(_TISSUE_WEIGHT) * fluid
    field = ndimage.gaussian_filter(field, [3.0 / s for s in coarse.spacing], mode="constant")
    points = np.array(np.nonzero(coarse.brain | (field > 0.05)), dtype=np.float64)
    used = ~coarse.lesion[tuple(points.astype(int))]
    if not used.any():
        used = np.ones(points.shape[1], dtype=bool)
    return field, coarse.millimetres(points), used


def _best_offset(coarse: Coarse, axis: int, field: np.ndarray, points: np.ndarray) -> float:
    """Offset of the best plane without tilt, searched around the middle of the brain."""
    middle = (points[axis].min() + points[axis].max()) / 2
    step = coarse.spacing[axis] / 2
    reach = min(_WIDEST_SHIFT_MM, np.ptp(points[axis]) / 4)
    offsets = middle + np.arange(-np.ceil(reach / step), np.ceil(reach / step) + 1) * step
    normal = tuple(float(n == axis) for n in range(3))
    scores = [_agreement(Plane((normal[0], normal[1], normal[2]), float(o)), coarse, field, points) for o in offsets]
    return float(offsets[int(np.argmax(scores))])


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


def _agreement(plane: Plane, coarse: Coarse, field: np.ndarray, points: np.ndarray) -> float:
    """Negative mean squared difference between a field and its mirror image at some points."""
    mirrored = points - 2 * np.outer(plane.normal, plane.side_of(points))
    here = ndimage.map_coordinates(field, coarse.indices(points), order=1, mode="constant")
    there = ndimage.map_coordinates(field, coarse.indices(mirrored), order=1, mode="constant")
    return -float(np.mean((here - there) ** 2))
