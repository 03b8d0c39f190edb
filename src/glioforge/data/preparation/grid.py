"""One grid for a whole cohort: orientation, crop, padding and resampling as one recorded step.

A `GridPlan` turns a case's own grid into the prepared one: axes are swapped
and flipped to RAS, then each axis is resampled on its own, by a matrix that says
how much of each old voxel goes into each new one.  Because the plan holds both
grids, it can also bring a label map back (Shin et al. 2018 crop and resample to
128 x 128 x 54 and note that small tumours may vanish; here they are kept and
counted, see `resample.py`).

Conventions
-----------
start       edge of the first prepared voxel, in voxels of the case's grid after it was brought to RAS; a whole number
            in a plan
factor      prepared spacing over the case's spacing: the length of a new voxel in old voxels; exactly 1 copies voxels
have, want  number of old and of new voxels
rows        sum to the share of the new voxel that lies inside the old grid
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from glioforge.core import Geometry, Index, Mask, Voxels, bounding_box

_SAME_SPACING = 1e-3
Triple = tuple[float, float, float]


@final
@dataclass(frozen=True)
class GridPlan:
    """How a case's grid becomes the prepared one, and back.

    Args:
        source: The case's own grid.
        start: Edge of the first prepared voxel along each RAS axis, in source voxels.
        factor: Prepared spacing over source spacing along each RAS axis.
        size: Shape of the prepared grid.
    """

    source: Geometry
    start: Index
    factor: Triple
    size: Index

    @property
    def canonical(self) -> Geometry:
        """The case's grid with its axes in RAS order."""
        return self.source.permuted(*self.source.canonical_axes())

    @property
    def target(self) -> Geometry:
        """The prepared grid."""
        affine = self.canonical.affine.copy()
        first_centre = np.array(self.start) - 0.5 + np.array(self.factor) / 2
        affine[:3, 3] = self.canonical.affine[:3, :3] @ first_centre + self.canonical.affine[:3, 3]
        affine[:3, :3] = affine[:3, :3] * np.array(self.factor)
        return Geometry(self.size, affine)

    @property
    def resamples(self) -> bool:
        """Whether voxels are averaged; if not, they are only moved."""
        return self.factor != (1.0, 1.0, 1.0)

    def to_canonical(self, voxels: Shaped[np.ndarray, "i j k"]) -> Shaped[np.ndarray, "x y z"]:
        """Swap and flip axes to RAS; every type of voxel."""
        axes, flips = self.source.canonical_axes()
        return voxels.transpose(axes)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]

    def from_canonical(self, voxels: Shaped[np.ndarray, "x y z"]) -> Shaped[np.ndarray, "i j k"]:
        """Inverse of `to_canonical`."""
        axes, flips = self.source.canonical_axes()
        back = voxels[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
        return np.array(back.transpose(np.argsort(axes)), order="K")

    def moved(self, voxels: Shaped[np.ndarray, "i j k"]) -> Shaped[np.ndarray, "x y z"]:
        """Voxels on the prepared grid where nothing is resampled; 0 outside the source."""
        canonical = self.to_canonical(voxels)
        result = np.zeros(self.size, dtype=voxels.dtype, order=_order(canonical))
        inside, within = self._overlap(canonical.shape)
        result[within] = canonical[inside]
        return result

    def moved_back(self, voxels: Shaped[np.ndarray, "x y z"]) -> Shaped[np.ndarray, "i j k"]:
        """Inverse of `moved`; 0 where the prepared grid does not reach."""
        canonical = np.zeros(self.canonical.shape, dtype=voxels.dtype, order=_order(voxels))
        inside, within = self._overlap(canonical.shape)
        canonical[inside] = voxels[within]
        return self.from_canonical(canonical)

    def image(self, voxels: Voxels, brain: Mask) -> Float32[np.ndarray, "x y z"]:
        """Image on the prepared grid, from brain voxels alone, so that no background blurs in.

        Linear with anti-aliasing: a prepared voxel is the weighted mean of the
        brain voxels within one spacing of it; 0 where there are none.
        """
        if not self.resamples:
            moved = self.moved(voxels)
            np.copyto(moved, np.float32(0), where=~self.moved(brain))
            return moved
        inside = self.to_canonical(brain).astype(np.float32)
        weights = [linear_weights(*axis) for axis in self._axes()]
        total = along_axes(inside * self.to_canonical(voxels), weights)
        share = along_axes(inside, weights)
        return np.asarray(np.divide(total, share, out=np.zeros_like(total), where=share > 1e-4))

    def fractions(self, mask: Bool[np.ndarray, "i j k"]) -> Float32[np.ndarray, "x y z"]:
        """Share of each prepared voxel that a mask on the case's grid fills (linear where the grid gets finer)."""
        if not self.resamples:
            return self.moved(mask).astype(np.float32)
        weights = [area_weights(*axis) if axis[3] >= 1 else linear_weights(*axis) for axis in self._axes()]
        return along_axes(self.to_canonical(mask).astype(np.float32), weights)

    def smoothed(self, mask: Bool[np.ndarray, "i j k"]) -> Float32[np.ndarray, "x y z"]:
        """Mask on the prepared grid as an image: linear with anti-aliasing."""
        weights = [linear_weights(*axis) for axis in self._axes()]
        return along_axes(self.to_canonical(mask).astype(np.float32), weights)

    def fractions_back(self, mask: Bool[np.ndarray, "x y z"]) -> Float32[np.ndarray, "i j k"]:
        """Prepared mask, interpolated linearly on the case's own grid."""
        weights = [
            linear_weights(prepared, shape, -start / factor, 1 / factor)
            for shape, prepared, start, factor in self._axes()
        ]
        return self.from_canonical(along_axes(mask.astype(np.float32), weights))

    def cut_off(self, mask: Mask) -> int:
        """Number of a mask's voxels on the case's grid whose centres the prepared grid does not reach."""
        inside = []
        for have, want, start, factor in self._axes():
            centres = np.arange(have) + 0.5
            reached = np.flatnonzero((centres > start) & (centres < start + want * factor))
            inside.append(slice(int(reached[0]), int(reached[-1]) + 1) if len(reached) else slice(0, 0))
        return int(np.count_nonzero(mask) - np.count_nonzero(self.to_canonical(mask)[tuple(inside)]))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "source": self.source.to_json(),
            "start": list(self.start),
            "factor": list(self.factor),
            "size": list(self.size),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "GridPlan":
        """Inverse of `to_json`."""
        i, j, k = values["start"]
        x, y, z = values["factor"]
        a, b, c = values["size"]
        return cls(Geometry.from_json(values["source"]), (i, j, k), (x, y, z), (a, b, c))

    def _axes(self) -> list[tuple[int, int, float, float]]:
        """For each axis: source length, prepared length, start, factor."""
        return list(zip(self.canonical.shape, self.size, map(float, self.start), self.factor, strict=True))

    def _overlap(self, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Slices of source and prepared grid that cover each other, without resampling."""
        inside, within = [], []
        for have, start, want in zip(shape, self.start, self.size, strict=True):
            first, last = min(max(start, 0), have), max(min(start + want, have), 0)
            last = max(first, last)
            inside.append(slice(first, last))
            within.append(slice(first - start, last - start) if last > first else slice(0, 0))
        return tuple(inside), tuple(within)


@final
@dataclass(frozen=True)
class Extent:
    """Box of the brain in a case's RAS grid, half-open, and the spacing there in mm."""

    start: Index
    stop: Index
    spacing: Triple

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"start": list(self.start), "stop": list(self.stop), "spacing": list(self.spacing)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Extent":
        """Inverse of `to_json`."""
        (a, b, c), (d, e, f), (x, y, z) = values["start"], values["stop"], values["spacing"]
        return cls((a, b, c), (d, e, f), (x, y, z))


def extent_of(geometry: Geometry, mask: Mask) -> Extent:
    """Box around a mask; the whole grid for an empty mask."""
    axes, flips = geometry.canonical_axes()
    box = bounding_box(mask) or (slice(0, mask.shape[0]), slice(0, mask.shape[1]), slice(0, mask.shape[2]))
    starts, stops = [], []
    for axis, flip in zip(axes, flips, strict=True):
        side, length = box[axis], mask.shape[axis]
        starts.append(length - side.stop if flip else side.start)
        stops.append(length - side.start if flip else side.stop)
    spacing = geometry.permuted(axes, flips).spacing
    return Extent((starts[0], starts[1], starts[2]), (stops[0], stops[1], stops[2]), spacing)


def common_size(extents: Sequence[Extent], spacing_mm: Triple | None, margin: int, multiple: int) -> Index:
    """Smallest shape, each side a multiple, that holds every brain with a margin in voxels.

    Args:
        extents: At least one box.
        spacing_mm: Prepared spacing; each case's own where none is given.
        margin: Voxels kept free on each side.
        multiple: Every side is a multiple of it.
    """
    sides = []
    for axis in range(3):
        needs = []
        for extent in extents:
            factor = spacing_ratio(extent.spacing, spacing_mm)[axis]
            needs.append(int(np.ceil((extent.stop[axis] - extent.start[axis]) / factor)) + 2 * margin)
        sides.append(-(-max(needs) // multiple) * multiple)
    return sides[0], sides[1], sides[2]


def plan_grid(source: Geometry, extent: Extent, spacing_mm: Triple | None, size: Index) -> GridPlan:
    """Plan that puts the middle of the brain's box into the middle of the prepared grid."""
    factor = spacing_ratio(extent.spacing, spacing_mm)
    start = [
        round((first + last) / 2 - size[axis] * factor[axis] / 2)
        for axis, (first, last) in enumerate(zip(extent.start, extent.stop, strict=True))
    ]
    return GridPlan(source, (start[0], start[1], start[2]), factor, size)


def _order(voxels: Shaped[np.ndarray, "i j k"]) -> Literal["C", "F"]:
    """How voxels lie in memory, so that a copy can lie alike: moving them across is several times slower."""
    return "F" if abs(voxels.strides[0]) < abs(voxels.strides[2]) else "C"


def spacing_ratio(spacing: Triple, wanted: Triple | None) -> Triple:
    """New over old spacing; exactly 1 where they agree."""
    if wanted is None:
        return (1.0, 1.0, 1.0)
    x, y, z = (1.0 if abs(new - old) < _SAME_SPACING else new / old for new, old in zip(wanted, spacing, strict=True))
    return (x, y, z)


def area_weights(have: int, want: int, start: float, factor: float) -> Float32[np.ndarray, "want have"]:
    """Share of each new voxel that each old voxel covers, along one axis.

    Example:
        >>> area_weights(4, 2, 0.0, 2.0).tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    first = (start + factor * np.arange(want))[:, None]
    old = np.arange(have)[None, :]
    overlap = np.minimum(first + factor, old + 1) - np.maximum(first, old)
    return np.asarray(np.clip(overlap, 0, None) / factor, dtype=np.float32)


def linear_weights(have: int, want: int, start: float, factor: float) -> Float32[np.ndarray, "want have"]:
    """Triangle weights as wide as the coarser of both spacings, along one axis.

    Rows of new voxels whose neighbourhood lies inside sum to 1; outside nothing is repeated.

    Example:
        >>> linear_weights(3, 2, 0.5, 1.0).tolist()
        [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    width = max(factor, 1.0)
    centre = (start + factor * (np.arange(want) + 0.5) - 0.5)[:, None]
    beyond = 2 * int(np.ceil(width))
    places = np.arange(-beyond, have + beyond)[None, :]
    apart = places - centre
    weights = np.clip(1 - np.abs(apart) / width, 0, None)
    # A sampled triangle leans to one side; tilting it back keeps linear ramps exact.
    lean, breadth = (weights * apart).sum(axis=1, keepdims=True), (weights * apart**2).sum(axis=1, keepdims=True)
    weights *= 1 - apart * np.divide(lean, breadth, out=np.zeros_like(lean), where=breadth > 1e-9)
    total = weights.sum(axis=1, keepdims=True)
    kept = weights[:, beyond : beyond + have]
    return np.asarray(np.divide(kept, total, out=np.zeros_like(kept), where=total > 0), dtype=np.float32)


def along_axes(
    voxels: Float32[np.ndarray, "i j k"], weights: Sequence[Float32[np.ndarray, "_ _"]]
) -> Float32[np.ndarray, "x y z"]:
    """Apply one matrix along each axis."""
    result = voxels
    for matrix in weights:
        result = np.moveaxis(np.tensordot(matrix, result, axes=(1, 0)), 0, 2)
    return np.ascontiguousarray(result)
