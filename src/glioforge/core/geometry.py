"""The grid of a scan: shape and the affine from voxel index to millimetres.

Conventions
-----------
axes      `(i, j, k)` as stored in NIfTI; in a canonical (RAS) grid i runs to
          the right, j to the front, k to the top of the head
affine    4 x 4, voxel index to world millimetres in RAS+, as nibabel's
box       half-open `[start, stop)` in voxels; may reach outside the grid,
          where a crop pads
within    lengths are compared with limits up to a relative `SLACK`: an oblique
          affine is stored in float32, and a voxel of 1 mm then measures
          0.9999999 or 1.0000001 mm along its axes
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Float64

from glioforge.core.errors import GeometryError

Affine = Float64[np.ndarray, "4 4"]
Index = tuple[int, int, int]
Box = tuple[slice, slice, slice]

SLACK = 1e-4
"""Relative slack where a length meets a limit: 0.1 micrometres at 1 mm, far above rounding, far below any voxel."""

_AXIS_CODES = (("L", "R"), ("P", "A"), ("I", "S"))


def within(
    lengths: Float64[np.ndarray, "..."] | float, limit: Float64[np.ndarray, "..."] | float
) -> Bool[np.ndarray, "..."]:
    """Compare lengths, areas or volumes with a limit, which rounding must not cross.

    Args:
        lengths: Any number of lengths; none give an empty array.
        limit: Largest length that counts, in the same unit; one, or one for each length.

    Example:
        >>> within(np.array([1.0, 1.0000004, 1.001]), 1.0).tolist()
        [True, True, False]
    """
    return np.asarray(np.asarray(lengths) <= np.asarray(limit) * (1 + SLACK))


def bounding_box(mask: Bool[np.ndarray, "i j k"], margin: int | Index = 0) -> Box | None:
    """Return the smallest box around the true voxels, widened by a margin within the grid; none for an empty mask.

    Args:
        mask: Any mask of three axes.
        margin: Voxels to add on both sides of every axis, or of each.

    Example:
        >>> mask = np.zeros((4, 5, 6), dtype=bool)
        >>> mask[1, 2:4, 5] = True
        >>> bounding_box(mask, (0, 1, 1))
        (slice(1, 2, None), slice(1, 5, None), slice(4, 6, None))
    """
    # The axis that varies slowest in memory is reduced first: several times faster than axis by axis.
    turned = mask.T if mask.flags.f_contiguous else mask
    plane = np.any(turned, axis=0)
    lines = [np.any(turned, axis=(1, 2)), np.any(plane, axis=1), np.any(plane, axis=0)]
    if not lines[0].any():
        return None
    wider = (margin,) * 3 if isinstance(margin, int) else margin
    i, j, k = (
        _side(line, room) for line, room in zip(lines[::-1] if turned is not mask else lines, wider, strict=True)
    )
    return i, j, k


def _side(line: Bool[np.ndarray, "n"], margin: int) -> slice:
    """From the first true place to the last, widened by a margin within the line."""
    places = np.flatnonzero(line)
    return slice(max(int(places[0]) - margin, 0), min(int(places[-1]) + 1 + margin, len(line)))


@final
@dataclass(frozen=True, eq=False)
class Geometry:
    """Shape and affine of a three-dimensional grid.

    Args:
        shape: Number of voxels along each axis, all at least 1.
        affine: Voxel index to RAS millimetres, 4 x 4, finite, invertible.

    Raises:
        GeometryError: The shape is not three positive numbers, or the affine
            is not finite, not invertible or not 4 x 4.

    Example:
        >>> Geometry.isotropic((4, 5, 6), spacing_mm=2.0).spacing
        (2.0, 2.0, 2.0)
    """

    shape: Index
    affine: Affine

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise GeometryError(f"grid shape {shape}", "three positive numbers")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError(f"affine {affine.tolist()}", "a finite 4 x 4 matrix")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9 or not np.array_equal(affine[3], [0, 0, 0, 1]):
            raise GeometryError(
                f"affine {affine.tolist()}",
                "an invertible matrix whose last row is 0 0 0 1",
                "repair the header with the tool that wrote the file",
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def isotropic(cls, shape: Sequence[int], spacing_mm: float = 1.0) -> "Geometry":
        """RAS grid of cubic voxels, centred on the world's origin."""
        i, j, k = (int(n) for n in shape)
        affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
        affine[:3, 3] = [-spacing_mm * (n - 1) / 2 for n in (i, j, k)]
        return cls((i, j, k), affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along each axis in millimetres."""
        x, y, z = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)).tolist()
        return (x, y, z)

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel in mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def world_axes(self) -> Index:
        """For each voxel axis the world axis (0 x, 1 y, 2 z) that it follows most."""
        cosines = np.abs(self.affine[:3, :3]) / np.array(self.spacing)
        best = max(
            itertools.permutations(range(3)),
            key=lambda p: sum(cosines[world, axis] for axis, world in enumerate(p)),
        )
        return (best[0], best[1], best[2])

    @property
    def orientation(self) -> str:
        """Axis codes such as `"RAS"` or `"LPS"`: where each axis points to."""
        codes = [_AXIS_CODES[world][int(self.affine[world, axis] > 0)] for axis, world in enumerate(self.world_axes)]
        return "".join(codes)

    def matches(self, other: "Geometry", tolerance_mm: float = 1e-3) -> bool:
        """Tell whether shapes agree and no voxel lies further apart than the tolerance."""
        if self.shape != other.shape:
            return False
        corners = np.array([[*corner, 1.0] for corner in itertools.product(*((0, n - 1) for n in self.shape))])
        apart = (corners @ (self.affine - other.affine).T)[:, :3]
        return bool(np.sqrt((apart**2).sum(axis=1)).max() <= tolerance_mm)

    def require_same(self, other: "Geometry", what: str = "image", tolerance_mm: float = 1e-3) -> None:
        """Refuse a grid that differs.

        Raises:
            GeometryError: Shapes differ, or corners lie further apart than the tolerance.
        """
        if not self.matches(other, tolerance_mm):
            raise GeometryError(
                f"{what} lies on grid {other.describe()}",
                f"grid {self.describe()} (corners within {tolerance_mm} mm)",
                "resample or register the images of a case onto one grid first",
            )

    def describe(self) -> str:
        """One line: shape, spacing, orientation, origin."""
        spacing = " x ".join(f"{s:.4g}" for s in self.spacing)
        origin = ", ".join(f"{o:.5g}" for o in self.affine[:3, 3])
        return f"{' x '.join(map(str, self.shape))} at {spacing} mm, {self.orientation}, origin ({origin})"

    def box(self, start: Sequence[int], stop: Sequence[int]) -> "Geometry":
        """Grid of the box `[start, stop)`; it may reach outside this grid.

        Raises:
            GeometryError: The box is empty.
        """
        size = tuple(int(b) - int(a) for a, b in zip(start, stop, strict=True))
        if min(size) < 1:
            raise GeometryError(f"box from {tuple(start)} to {tuple(stop)}", "a box that is not empty")
        affine = self.affine.copy()
        affine[:3, 3] = self.affine[:3, :3] @ np.asarray(start, dtype=np.float64) + self.affine[:3, 3]
        return Geometry((size[0], size[1], size[2]), affine)

    def permuted(self, axes: Sequence[int], flips: Sequence[bool]) -> "Geometry":
        """Grid after `voxels.transpose(axes)` and then reversing each new axis whose flip is set."""
        affine = self.affine[:, [*axes, 3]].copy()
        shape = [self.shape[a] for a in axes]
        for axis, flip in enumerate(flips):
            if flip:
                affine[:3, 3] += affine[:3, axis] * (shape[axis] - 1)
                affine[:3, axis] *= -1
        return Geometry((shape[0], shape[1], shape[2]), affine)

    def canonical_axes(self) -> tuple[Index, tuple[bool, bool, bool]]:
        """Transposition and flips that bring voxels nearest to RAS (see `permuted`)."""
        world = self.world_axes
        axes = (world.index(0), world.index(1), world.index(2))
        x, y, z = (bool(self.affine[w, a] < 0) for w, a in enumerate(axes))
        return axes, (x, y, z)

    def world_of(self, index: Sequence[float]) -> tuple[float, float, float]:
        """World position in RAS millimetres of a (fractional) voxel index."""
        x, y, z = (self.affine[:3, :3] @ np.asarray(index, dtype=np.float64) + self.affine[:3, 3]).tolist()
        return (x, y, z)

    def index_of(self, world: Sequence[float]) -> tuple[float, float, float]:
        """Fractional voxel index of a world position in RAS millimetres."""
        offset = np.asarray(world, dtype=np.float64) - self.affine[:3, 3]
        i, j, k = np.linalg.solve(self.affine[:3, :3], offset).tolist()
        return (i, j, k)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"shape": list(self.shape), "affine": self.affine.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Geometry":
        """Inverse of `to_json`."""
        i, j, k = values["shape"]
        return cls((i, j, k), np.array(values["affine"], dtype=np.float64))

    def __eq__(self, other: object) -> bool:
        """Exact equality of shape and affine."""
        if not isinstance(other, Geometry):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.affine, other.affine)

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes()))
