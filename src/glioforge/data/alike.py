"""Real cases in the form of made ones: slices where these are slices, whole cases otherwise.

Samplers of slices write cases one voxel thick.  Whatever compares them with real
cases must compare like with like: a slice of a head is an outlier among heads.

Conventions
-----------
plane     the made slice's width and height in mm, laid about the middle of the real case's grid
facts     `SLICES_FROM` and `SLICES_TO` of a made case, shares of the grid along the axis that is cut, say which slices
          its sampler was trained on; without them every slice that shows brain counts
labels    nearest voxel; images are linear, widened where the made grid is coarser, and averaged over the brain alone
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float32

from glioforge.core import Case, Cohort, Geometry, GeometryError, Volume

SLICES_FROM: Final = "slices_from"
"""Fact of a made slice: where the slices begin that its sampler was trained on, as a share of the grid."""
SLICES_TO: Final = "slices_to"
"""Fact of a made slice: where they end."""
SLICE: Final = "slice"
"""Fact of a slice cut from a real case: its number."""


def thin_axis(geometry: Geometry) -> int | None:
    """Return the axis along which a grid is one voxel thick; none unless there is exactly one.

    Example:
        >>> thin_axis(Geometry.isotropic((64, 1, 64), 2.0))
        1
    """
    thin = [axis for axis, size in enumerate(geometry.shape) if size == 1]
    return thin[0] if len(thin) == 1 else None


def cases_like(real: Cohort, made: Cohort) -> Iterator[Case]:
    """Yield the real cases in the form of the made ones, read one by one.

    Args:
        real: Cases on grids of one orientation.
        made: Cases of one form; where there is none, or where they are no slices, real cases stay as they are.

    Raises:
        GeometryError: The made slices lie in another orientation than the real cases.
    """
    like = made.cases[0].load().geometry if len(made) else None
    if like is None or thin_axis(like) is None:
        for ref in real:
            yield ref.load()
        return
    first = min(float(ref.facts.get(SLICES_FROM, 0)) for ref in made)
    last = max(float(ref.facts.get(SLICES_TO, 1)) for ref in made)
    for ref in real:
        yield from slices_like(ref.load(), like, first, last)


def slices_like(case: Case, like: Geometry, first: float = 0.0, last: float = 1.0) -> Iterator[Case]:
    """Yield the slices of a case that show brain, on the grid of a made slice.

    Args:
        case: A case on any grid; one that is a slice already is passed on.
        like: Grid of a made slice, one voxel thick along one axis.
        first: Where slices begin, as a share of the case's grid.
        last: Where they end.

    Raises:
        GeometryError: The grids differ in orientation.
    """
    axis = thin_axis(like)
    if axis is None or case.geometry.shape[axis] == 1:
        yield case
        return
    if case.geometry.orientation != like.orientation:
        raise GeometryError(
            f"slices in {like.orientation} and cases in {case.geometry.orientation}",
            "one orientation",
            "prepare the real cases as those that the sampler was trained on",
            case.case_id,
        )
    depth = case.geometry.shape[axis]
    brain = np.moveaxis(case.brain_mask, axis, 0)
    for number in range(int(first * depth), depth - int((1 - last) * depth)):
        if brain[number].any():
            yield _slice(case, like, axis, number)


def placed_on(case: Case, like: Geometry) -> Case:
    """Return a slice on the grid of another one, about whose middle it is laid.

    Args:
        case: A case one voxel thick.
        like: Grid of another slice, thin along the same axis.

    Raises:
        GeometryError: One of both is no slice, or they lie in other planes or orientations.
    """
    axis, own = thin_axis(like), thin_axis(case.geometry)
    if axis is None or own != axis or case.geometry.orientation != like.orientation:
        raise GeometryError(
            f"a grid of shape {case.geometry.shape} in {case.geometry.orientation}",
            f"a slice in the plane of {like.shape} in {like.orientation}",
            "sample slices of this plane",
            case.case_id,
        )
    return replace(_slice(case, like, axis, 0), case_id=case.case_id, facts=case.facts)


def _slice(case: Case, like: Geometry, axis: int, number: int) -> Case:
    """One slice on the made grid."""
    plane = [a for a in range(3) if a != axis]
    nearest, weights = zip(*(_along(case.geometry, like, a) for a in plane), strict=True)

    def placed(voxels: np.ndarray) -> np.ndarray:
        held = np.take(voxels, number, axis=axis)
        rows, columns = (np.clip(n, 0, size - 1) for n, size in zip(nearest, held.shape, strict=True))
        within = [(n >= 0) & (n < size) for n, size in zip(nearest, held.shape, strict=True)]
        chosen = held[np.ix_(rows, columns)] * (within[0][:, None] & within[1][None])
        return np.expand_dims(chosen.astype(held.dtype), axis)

    brain = placed(case.brain_mask)
    inside = np.take(case.brain_mask, number, axis=axis).astype(np.float32)
    share = weights[0] @ inside @ weights[1].T

    def resampled(voxels: np.ndarray) -> np.ndarray:
        mean = weights[0] @ (np.take(voxels, number, axis=axis) * inside) @ weights[1].T
        return np.expand_dims(mean / np.maximum(share, np.float32(1e-6)), axis) * brain

    return replace(
        case,
        case_id=f"{case.case_id}-slice-{number:03d}",
        images={m: Volume(resampled(v.voxels).astype(np.float32), like, m) for m, v in case.images.items()},
        labels=None if case.labels is None else replace(case.labels, voxels=placed(case.labels.voxels), geometry=like),
        brain=brain,
        facts={**case.facts, SLICE: number},
    )


def _along(grid: Geometry, like: Geometry, axis: int) -> tuple[np.ndarray, Float32[np.ndarray, "made real"]]:
    """Nearest real voxel of each made one along an axis, and the weights of all real voxels."""
    scale = like.spacing[axis] / grid.spacing[axis]
    made, real = like.shape[axis], grid.shape[axis]
    middle = (real - 1) / 2
    if abs(scale - 1) < 1e-3:
        scale, middle = 1.0, (made - 1) / 2 - (made - real) // 2
    centres = middle + (np.arange(made) - (made - 1) / 2) * scale
    weights = np.maximum(1 - np.abs(centres[:, None] - np.arange(real)) / max(scale, 1.0), 0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
    return np.floor(centres + 0.5).astype(int), weights.astype(np.float32)
