"""Coarse picture of a head in which copies look alike, however they were disguised, and the alignment of two.

The head is laid on a grid of 4 mm around the middle of its brain, so that shifts
and other grids vanish; intensities become ranks within the brain, so that
every rising curve of the intensities (gamma, window, scale) vanishes.

Two pictures are aligned rigidly by Gauss-Newton steps on the squared difference of
ranks, first smoothed by 8 mm and then by 4 mm, with the analytical derivative of
rotation and shift (Ashburner & Friston 1997, NeuroImage 6(3), 209-217, section on
least squares).  How far their detail agrees is the Pearson correlation of what is
left of the ranks below 12 mm, within both brains: the large shapes that all heads
share are taken out of both.

Conventions
-----------
axes    right, front, top, by the transposition and flips nearest to RAS; oblique grids are not turned
ranks   -0.5 to 0.5 within the brain, 0 outside
motion  three components of a rotation vector in radians about the middle of the grid, then a shift in cells
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import ndimage
from scipy.spatial.transform import Rotation
from scipy.stats import rankdata

from glioforge.core import Case, Geometry, Index, Mask, bounding_box

Grid = Float32[np.ndarray, "i j k"]
Laid = Float32[np.ndarray, "right front top"]
Middle = Float64[np.ndarray, "3"]

STEP_MM: Final = 4.0
"""Spacing of the picture of a head."""
HEAD: Final[Index] = (48, 56, 48)
_FULL: Final = 0.9
"""Share of the grid above which a mask of non-zero voxels holds the background too."""
_SMALL: Final = 0.3
"""Share of the median magnitude below which voxels that are not 0 are no brain."""


@final
@dataclass(frozen=True, eq=False)
class Head:
    """A head on the coarse grid.

    Args:
        channels: Ranks within the brain by contrast (`flair`), or by tissue (`tissue csf`) where there are no images;
            float32 of shape `HEAD`.
        brain: Cells of which at least half is brain.
    """

    channels: Mapping[str, Laid]
    brain: Mask


def head_of(case: Case) -> Head:
    """Return the picture of a case's head; without channels where no brain is found."""
    brain = _brain_of(case)
    box = bounding_box(brain)
    if box is None:
        return Head({}, np.zeros(HEAD, dtype=bool))
    inside = brain[box].astype(np.float32)
    middle = np.array(ndimage.center_of_mass(inside))

    def laid(voxels: Grid) -> Laid:
        return laid_on(voxels, case.geometry, middle, STEP_MM, HEAD)

    share = laid(inside)
    mask = share >= 0.5
    found: dict[str, Laid] = {str(m): laid(v.voxels[box] * inside) for m, v in case.images.items()}
    if case.labels is not None and not case.images:
        labels, table = case.labels.voxels[box], case.labels.scheme.labels
        found |= {f"tissue {n}": laid((labels == table[n]) * inside) for n in case.labels.scheme.tissue}
    return Head({name: _ranks(values, share, mask) for name, values in found.items()}, mask)


def halved(head: Head) -> dict[str, Laid]:
    """Return the channels on a grid of 8 mm."""
    i, j, k = (n // 2 for n in HEAD)
    blocks = (i, 2, j, 2, k, 2)
    return {name: values.reshape(blocks).mean(axis=(1, 3, 5)) for name, values in head.channels.items()}


def _brain_of(case: Case) -> Mask:
    """The brain: its mask, else where smoothed magnitude is not small, which a blurred or noisy background is."""
    mask = case.brain_mask
    if case.brain is not None or not case.images or not mask.any():
        return mask
    from skimage.filters import threshold_otsu

    total = np.zeros(case.geometry.shape, dtype=np.float32)
    for volume in case.images.values():
        total += np.abs(volume.voxels) / max(float(volume.voxels.std()), 1e-9)
    smooth = ndimage.gaussian_filter(total, [STEP_MM / 2 / s for s in case.geometry.spacing])
    limit = threshold_otsu(smooth) if mask.mean() > _FULL else _SMALL * float(np.median(smooth[mask]))
    return np.asarray(mask & (smooth > limit))


def laid_on(voxels: Grid, geometry: Geometry, middle: Middle, step_mm: float, shape: Index) -> Laid:
    """Lay block means on a coarse grid whose middle is a place of the voxels; 0 beyond them.

    Args:
        voxels: Any part of a volume, `(i, j, k)`.
        geometry: Of the volume: its spacing and the direction of its axes.
        middle: Place of the new grid's middle, in voxels of the part.
        step_mm: Spacing of the new grid along each axis.
        shape: Shape of the new grid; its axes are right, front, top.
    """
    axes, flips = geometry.canonical_axes()
    spacing = np.array(geometry.spacing)[list(axes)]
    turned = voxels.transpose(axes)
    place = middle[list(axes)]
    for axis, flip in enumerate(flips):
        if flip:
            turned = np.flip(turned, axis)
            place[axis] = turned.shape[axis] - 1 - place[axis]
    factors = np.maximum(np.floor(step_mm / spacing + 1e-6), 1).astype(int)
    blocks = _block_means(turned, (int(factors[0]), int(factors[1]), int(factors[2])))
    scale = step_mm / (spacing * factors)
    at = (place - (factors - 1) / 2) / factors
    offset = at - scale * (np.array(shape) - 1) / 2
    laid: Laid = ndimage.affine_transform(blocks, scale, offset, output_shape=shape, order=1, output=np.float32)
    return laid


def _block_means(voxels: Grid, factors: Index) -> Laid:
    """Means over blocks; beyond the voxels there is nothing."""
    result = np.pad(voxels, [(0, -n % f) for n, f in zip(voxels.shape, factors, strict=True)])
    for axis, factor in enumerate(factors):
        if factor > 1:
            shape = [*result.shape[:axis], result.shape[axis] // factor, factor, *result.shape[axis + 1 :]]
            result = result.reshape(shape).mean(axis=axis + 1)
    return np.ascontiguousarray(result, dtype=np.float32)


def _ranks(values: Laid, share: Laid, mask: Bool[np.ndarray, "right front top"]) -> Laid:
    """Ranks of the brain's own mean in each cell; 0 where all are equal."""
    ranks = np.zeros(values.shape, dtype=np.float32)
    inside = values[mask] / share[mask]
    if inside.size and inside.max() > inside.min():
        ranks[mask] = (rankdata(inside) - 0.5) / inside.size - 0.5
    return ranks


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
