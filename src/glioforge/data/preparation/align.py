"""Bring the average brain onto a brain: affine by Gauss-Newton steps, then a smooth displacement.

Both minimise the squared difference between the average's maps of grey and
white matter and those of the brain, smoothed, over voxels that are not tumour.
What is neither counts as nothing, so that a brain mask with a wide or a narrow
rim of fluid makes no difference.  The affine part is held near its start, as
in Ashburner & Friston 1997 (NeuroImage 6(3), 209-217); the displacement follows
the demons' force with Gaussian regularisation (Vercauteren et al. 2009,
NeuroImage 45(1), S61-S72).

Conventions
-----------
places        millimetres from the corner of the brain's RAS grid, `(3, n)`
affine        `(3, 4)`, from places to the average's millimetres
displacement  `(3, x, y, z)` on the coarse grid, in the average's millimetres, added after the affine part
maps          `(m, x, y, z)` on the coarse grid, 0 to 1
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage

from glioforge.core import Index, Mask
from glioforge.data.preparation.template import Points, Template

Spacing = tuple[float, float, float]
Maps = Float32[np.ndarray, "m _ _ _"]
_HELD = 0.1
_REACH_MM = 70.0
_AFFINE_STEPS = 10
_POINTS = 12_000
_NORMALISATION = 0.4
_MIDDLE_MM = (0.0, -20.0, 5.0)


@final
@dataclass(frozen=True, eq=False)
class Alignment:
    """Where each voxel of a brain lies in the average one.

    Args:
        affine: From places to the average's millimetres.
        displacement: Added after the affine part, on the coarse grid.
        step: Millimetres between points of the coarse grid.
    """

    affine: Float64[np.ndarray, "3 4"]
    displacement: Float32[np.ndarray, "3 _ _ _"]
    step: Spacing

    def points(self, shape: Index, spacing: Spacing) -> Points:
        """Positions in the average brain of all voxels of the brain's grid, in C order."""
        places = places_of(shape, spacing)
        coarse = places / np.array(self.step)[:, None] - 0.5
        moved = [ndimage.map_coordinates(d, coarse, order=1, mode="nearest") for d in self.displacement]
        return np.asarray(self.affine[:, :3] @ places + self.affine[:, 3:] + np.stack(moved))

    @property
    def scale(self) -> float:
        """Volume of the average brain over that of the brain."""
        return float(np.linalg.det(self.affine[:, :3]))


def places_of(shape: Index, spacing: Spacing) -> Points:
    """Centres of all voxels of a grid, in C order."""
    axes = [(np.arange(n) + 0.5) * s for n, s in zip(shape, spacing, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)


def by_moments(brain: Mask, spacing: Spacing, average: Template, step_mm: float) -> Alignment:
    """Bring middle and spread of both brains together along each axis; the brain isn't empty."""
    middle, spread = average.moments
    places = (np.argwhere(brain) + 0.5) * np.array(spacing)
    # A mask of one slice has no spread along that axis; half a voxel keeps the ratio finite.
    ratio = spread / np.maximum(places.std(axis=0), 0.5 * np.array(spacing))
    affine = np.concatenate([np.diag(ratio), (middle - ratio * places.mean(axis=0))[:, None]], axis=1)
    factors = _factors(spacing, step_mm)
    shape = [-(-n // f) for n, f in zip(brain.shape, factors, strict=True)]
    x, y, z = (s * f for s, f in zip(spacing, factors, strict=True))
    return Alignment(affine, np.zeros((3, *shape), dtype=np.float32), (x, y, z))


def coarsened(values: Maps, spacing: Spacing, step_mm: float) -> Maps:
    """Means over blocks of voxels; beyond the grid there is nothing."""
    result = values
    for axis, factor in enumerate(_factors(spacing, step_mm), start=1):
        padded = np.pad(result, [(0, -n % factor if a == axis else 0) for a, n in enumerate(result.shape)])
        shape = [*padded.shape[:axis], padded.shape[axis] // factor, factor, *padded.shape[axis + 1 :]]
        result = padded.reshape(shape).mean(axis=axis + 1)
    return np.ascontiguousarray(result, dtype=np.float32)


def tilted(start: Alignment, degrees: float) -> Alignment:
    """The same alignment with the average brain nodding by some degrees about its middle."""
    angle = np.deg2rad(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    middle = np.array(_MIDDLE_MM)[:, None]
    affine = turn @ start.affine
    affine[:, 3:] += middle - turn @ middle
    return replace(start, affine=affine)


def best_affine(
    starts: Sequence[Alignment], maps: Maps, weight: Float32[np.ndarray, "_ _ _"], average: Template, sigma_mm: float
) -> Alignment:
    """Improve the affine part from several starts and keep the closest; arguments as `fit_affine`."""
    return min((fit_affine(s, maps, weight, average, sigma_mm) for s in starts), key=lambda found: found[1])[0]


def fit_affine(
    start: Alignment, maps: Maps, weight: Float32[np.ndarray, "_ _ _"], average: Template, sigma_mm: float
) -> tuple[Alignment, float]:
    """Improve the affine part; what was displaced before is dropped.

    Args:
        start: Where to begin.
        maps: Grey and white matter of the brain, or one map of both.
        weight: Weight of each point; 0 within the tumour.
        average: The average brain.
        sigma_mm: Gaussian smoothing of both.

    Returns:
        The alignment, and the weighted sum of squared differences before its last step.
    """
    fixed, moving = _matched(maps, start.step, average, sigma_mm)
    slopes = [np.gradient(values, average.spacing_mm) for values in moving]
    chosen = np.flatnonzero(weight.ravel() > 0)
    # Every n-th point in C order: the same points on every machine, without a random draw.
    chosen = chosen[:: max(1, len(chosen) // _POINTS)]
    places = places_of(maps.shape[1:], start.step)[:, chosen]
    middle = places.mean(axis=1, keepdims=True)
    basis = np.concatenate([(places - middle) / _REACH_MM, np.ones((1, len(chosen)))])
    first = np.concatenate(
        [start.affine[:, :3] * _REACH_MM, start.affine[:, :3] @ middle + start.affine[:, 3:]], axis=1
    )
    affine, cost = first, 0.0
    heavy = weight.ravel()[chosen].astype(np.float64)
    target = fixed.reshape(len(maps), -1)[:, chosen]
    # Scale and shear are held near the start, shifts are free: a brain with a large tumour has little else to pull on.
    held = np.kron(np.eye(3), np.diag([_HELD, _HELD, _HELD, 0.0]))
    for _ in range(_AFFINE_STEPS):
        gram, pull = held.copy(), -held @ (affine - first).ravel()
        at, cost = affine @ basis, 0.0
        for channel, values in enumerate(moving):
            apart = target[channel] - average.sample(values, at)
            slope = np.stack([average.sample(g, at) for g in slopes[channel]])
            cost += float((heavy * apart**2).sum())
            jacobian = (slope[:, None] * basis[None]).reshape(12, -1)
            gram += (jacobian * heavy) @ jacobian.T
            pull += jacobian @ (heavy * apart)
        affine = affine + np.linalg.solve(gram + 1e-6 * np.trace(gram) * np.eye(12), pull).reshape(3, 4)
    linear = affine[:, :3] / _REACH_MM
    found = np.concatenate([linear, affine[:, 3:] - linear @ middle], axis=1)
    return Alignment(found, np.zeros_like(start.displacement), start.step), cost


@final
@dataclass(frozen=True)
class Bend:
    """How the displacement is fitted.

    Args:
        sigma_mm: Gaussian smoothing of both brains' maps.
        stiffness_mm: Gaussian smoothing of the displacement in each round.
        rounds: Rounds; 0 changes nothing.
    """

    sigma_mm: float
    stiffness_mm: float
    rounds: int


def fit_displacement(
    start: Alignment, maps: Maps, weight: Float32[np.ndarray, "_ _ _"], average: Template, bend: Bend
) -> Alignment:
    """Improve the displacement.

    Args:
        start: Where to begin.
        maps: Grey and white matter of the brain.
        weight: Weight of each point; 0 within the tumour.
        average: The average brain.
        bend: How.
    """
    fixed, moving = _matched(maps, start.step, average, bend.sigma_mm)
    slopes = [np.gradient(values, average.spacing_mm) for values in moving]
    places = places_of(maps.shape[1:], start.step)
    rigid = start.affine[:, :3] @ places + start.affine[:, 3:]
    shift = start.displacement.copy()
    soft = [bend.stiffness_mm / s for s in start.step]
    for _ in range(bend.rounds):
        at = rigid + shift.reshape(3, -1)
        force, norm = np.zeros_like(shift), np.zeros(maps.shape[1:], dtype=np.float32)
        for target, values, slope in zip(fixed, moving, slopes, strict=True):
            apart = (target - average.sample(values, at).reshape(target.shape)) * weight
            rise = np.stack([average.sample(g, at) for g in slope]).reshape(shift.shape)
            force += apart * rise
            # Thirion's normalisation, which bounds a step where the slope is small and the difference large.
            norm += (rise**2).sum(axis=0) + (_NORMALISATION / min(start.step)) ** 2 * apart**2
        force /= norm + np.float32(1e-5)
        shift = np.stack([ndimage.gaussian_filter(s + f, soft) for s, f in zip(shift, force, strict=True)])
    return replace(start, displacement=shift)


def _matched(maps: Maps, step: Spacing, average: Template, sigma_mm: float) -> tuple[Maps, Maps]:
    """Both brains' maps smoothed alike; one map stands for grey and white matter together."""
    values = average.maps if len(maps) == len(average.maps) else average.maps.sum(axis=0, keepdims=True)
    fixed = [ndimage.gaussian_filter(m, [sigma_mm / s for s in step], mode="constant") for m in maps]
    moving = [ndimage.gaussian_filter(m, sigma_mm / average.spacing_mm, mode="constant") for m in values]
    return np.stack(fixed), np.stack(moving)


def _factors(spacing: Spacing, step_mm: float) -> Index:
    """Voxels that go into one point of the coarse grid along each axis."""
    i, j, k = (max(1, round(step_mm / s)) for s in spacing)
    return i, j, k
