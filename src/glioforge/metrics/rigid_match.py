"""Rigid alignment of two coarse heads, and how far their detail agrees once they are aligned.

Gauss-Newton steps on the squared difference of ranks, first smoothed by 8 mm
and then by 4 mm, with the analytical derivative of rotation and shift (Ashburner
& Friston 1997, NeuroImage 6(3), 209-217, section on least squares).  Agreement
is the Pearson correlation of what is left of the ranks below 12 mm, within both
brains: the large shapes that all heads share are taken out of both.

Conventions
-----------
motion  three components of a rotation vector in radians about the middle of the grid, then a shift in cells
"""

from typing import Final

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glioforge.core import Mask

Grid = Float32[np.ndarray, "i j k"]
Places = Float64[np.ndarray, "3 n"]
Motion = Float64[np.ndarray, "6"]

_LEVELS: Final = (2.0, 1.0)
"""Gaussian smoothing in cells, coarse to fine."""
_STEPS: Final = 8
_POINTS: Final = 8000
_FINE: Final = 0.75
_COARSE: Final = 3.0
_LEAST: Final = 100
"""Cells that both brains must share for an agreement."""
_RIM: Final = 2
"""Cells from the brain's border in which detail is not compared: fluid and cortex lie there in every head."""


def align(fixed: Grid, moving: Grid, brain: Mask) -> Motion:
    """Return the motion that carries places of the fixed head to those of the moving one; zeros for an empty brain.

    Args:
        fixed: Ranks of the head that stays.
        moving: Ranks of the other on a grid of the same shape.
        brain: Cells of the fixed head to compare.
    """
    motion = np.zeros(6)
    places = np.argwhere(brain).T.astype(np.float64)
    places = places[:, :: max(1, places.shape[1] // _POINTS)]
    if places.shape[1] < _LEAST:
        return motion
    for sigma in _LEVELS:
        target = ndimage.map_coordinates(ndimage.gaussian_filter(fixed, sigma), places, order=1)
        motion = _improved(motion, target, ndimage.gaussian_filter(moving, sigma), places)
    return motion


def moved(places: Places, motion: Motion, shape: tuple[int, ...]) -> Places:
    """Return where a motion carries places of a grid of this shape."""
    middle = (np.array(shape)[:, None] - 1) / 2
    turned: Places = Rotation.from_rotvec(motion[:3]).as_matrix() @ (places - middle)
    return turned + middle + motion[3:, None]


def agreement(fixed: Grid, moving: Grid, brains: tuple[Mask, Mask], motion: Motion) -> float:
    """Return the correlation of detail within both brains after a motion; 0 where they share too little.

    Args:
        fixed: Ranks of the head that stays.
        moving: Ranks of the other.
        brains: Brain of each.
        motion: Of `align`.
    """
    cores = [ndimage.binary_erosion(brain, iterations=_RIM) for brain in brains]
    places = np.argwhere(cores[0]).T.astype(np.float64)
    if places.shape[1] < _LEAST:
        return 0.0
    at = moved(places, motion, fixed.shape)
    shared = ndimage.map_coordinates(cores[1].astype(np.float32), at, order=1) > 0.5
    if np.count_nonzero(shared) < _LEAST:
        return 0.0
    mine = _detail(fixed, brains[0])[cores[0]][shared]
    theirs = ndimage.map_coordinates(_detail(moving, brains[1]), at[:, shared], order=1)
    mine, theirs = mine - mine.mean(), theirs - theirs.mean()
    scale = float(np.sqrt((mine**2).sum() * (theirs**2).sum()))
    return float((mine * theirs).sum()) / scale if scale > 1e-9 else 0.0


def _improved(motion: Motion, target: Float32[np.ndarray, "n"], moving: Grid, places: Places) -> Motion:
    """Gauss-Newton steps at one level of smoothing."""
    slopes = np.gradient(moving)
    middle = (np.array(moving.shape)[:, None] - 1) / 2
    for _ in range(_STEPS):
        at = moved(places, motion, moving.shape)
        apart = target - ndimage.map_coordinates(moving, at, order=1)
        slope = np.stack([ndimage.map_coordinates(s, at, order=1) for s in slopes])
        lever = at - middle - motion[3:, None]
        jacobian = np.concatenate([np.cross(lever.T, slope.T).T, slope])
        gram = jacobian @ jacobian.T
        step = np.linalg.solve(gram + 1e-6 * (np.trace(gram) + 1e-9) * np.eye(6), jacobian @ apart)
        turn = Rotation.from_rotvec(step[:3]) * Rotation.from_rotvec(motion[:3])
        motion = np.concatenate([turn.as_rotvec(), motion[3:] + step[3:]])
        if np.abs(step[3:]).max() < 0.01 and np.abs(step[:3]).max() < 0.001:
            break
    return motion


def _detail(ranks: Grid, brain: Mask) -> Grid:
    """Ranks without what is larger than about 12 mm, each mean taken within the brain alone."""
    weight = brain.astype(np.float32)
    fine, coarse = (
        ndimage.gaussian_filter(ranks * weight, sigma) / np.maximum(ndimage.gaussian_filter(weight, sigma), 1e-3)
        for sigma in (_FINE, _COARSE)
    )
    detail: Grid = (fine - coarse) * weight
    return detail
