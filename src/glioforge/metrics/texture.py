"""How synthetic images vary: from slice to slice, in their grain, at every scale, and among draws for one label map.

Likeness voxel by voxel (`metrics.similarity`) rewards a blurred image; these
numbers reveal one.  They compare amounts, not places, so they may be computed for
images of other label maps too.

Conventions
-----------
ratio       synthetic over real; 1 is ideal, less is smoother, more is rougher
bands       differences of Gaussian blurs, each twice as wide as the one before,
            averaged inside the mask alone (a blur divided by the blurred mask)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float32
from scipy.ndimage import gaussian_filter

from glioforge.core import CaseError, GeometryError, Mask, Voxels
from glioforge.metrics.base import DEFINED, Direction, ImagePair, Metric

WIDTHS: Final = (0.0, 0.7, 1.4, 2.8, 5.6)
"""Standard deviations of the blurs between which bands lie, in voxels."""
_LEAST: Final = 1e-6
"""Amounts below count as none."""


def through_plane_ratio(pair: ImagePair, axis: int = 2) -> float:
    """Mean absolute difference of neighbouring slices inside the mask, made over real.

    A method that makes slices one by one gives more than 1 where they do not
    fit together, and less where it smears over them.

    Args:
        pair: Made and real image; the mask is usually the brain.
        axis: Axis across the slices, along which the method cut.

    Returns:
        1 where neither image differs between neighbours, or no two neighbours are in the mask.

    Example:
        >>> steps = np.broadcast_to(np.float32([0, 1, 0, 1]), (2, 2, 4))
        >>> inside = np.ones((2, 2, 4), dtype=bool)
        >>> through_plane_ratio(ImagePair(steps * np.float32(3), steps.copy(), inside, 1.0))
        3.0
    """
    made, real = (mean_step(image, pair.mask, axis) for image in (pair.image, pair.reference))
    return _ratio(made, real)


def mean_step(image: Voxels, mask: Mask, axis: int) -> float:
    """Mean absolute difference between neighbours along an axis, both in the mask; 0 without any."""
    inside, values = np.moveaxis(mask, axis, 0), np.moveaxis(image, axis, 0)
    both = inside[1:] & inside[:-1]
    return float(np.abs(np.diff(values, axis=0))[both].mean(dtype=np.float64)) if both.any() else 0.0


def gradient_ratio(image: Voxels, mask: Mask, axis: int = 2) -> float:
    """Mean absolute difference of neighbours across slices over that within them; both neighbours inside the mask.

    Streaks of a method that synthesizes slice by slice raise it.  In the FLAIR lesion of scans on isotropic grids it
    is about 1; elsewhere compare with the scan of the same grid.

    Args:
        image: Intensities, `(i, j, k)`.
        mask: Where to look; the lesion for streaks in lesions.
        axis: Axis across the slices.

    Returns:
        The ratio; 1 where there are no neighbours or no differences to compare, NaN for an image of NaN.

    Example:
        >>> image = np.zeros((2, 2, 2), dtype=np.float32)
        >>> image[0] += 1
        >>> image[..., 1] += 3
        >>> gradient_ratio(image, np.ones((2, 2, 2), dtype=bool))
        6.0
    """
    across = mean_step(image, mask, axis)
    within = float(np.mean([mean_step(image, mask, other) for other in range(3) if other != axis]))
    return 1.0 if across == 0 or within == 0 else across / within


def streaks(axis: int) -> tuple[Metric[ImagePair], ...]:
    """Return the gradient ratio of the synthetic image, and of the scan beneath it, for slices across an axis."""
    return (
        Metric(
            "gradient_ratio",
            "1",
            Direction.ONE,
            lambda pair: gradient_ratio(pair.image, pair.mask, axis),
            DEFINED,
            "Gradient across slices over within",
        ),
        Metric(
            "gradient_ratio_scan",
            "1",
            Direction.NEITHER,
            lambda pair: gradient_ratio(pair.reference, pair.mask, axis),
            DEFINED,
            "Gradient across slices over within, scan",
        ),
    )


def grain_ratio(pair: ImagePair) -> float:
    """Standard deviation of the finest band inside the mask, made over real; 1 where neither has any."""
    made, real = (next(_bands(image, pair.mask)) for image in (pair.image, pair.reference))
    return _ratio(made, real)


def spectrum_distance(pair: ImagePair) -> float:
    """How far the strengths of all bands are from the real ones: mean size of their ratios in octaves.

    0 is ideal; 1 says that bands are twice or half as strong on average.
    """
    pairs = zip(_bands(pair.image, pair.mask), _bands(pair.reference, pair.mask), strict=True)
    return float(np.mean([abs(math.log2(max(made, _LEAST) / max(real, _LEAST))) for made, real in pairs]))


def through_plane(axis: int) -> Metric[ImagePair]:
    """The metric for slices cut across an axis."""
    function = partial(through_plane_ratio, axis=axis)
    return Metric("through_plane_ratio", "1", Direction.ONE, function, DEFINED, "Step between slices, made over real")


def _ratio(made: float, real: float) -> float:
    """Made over real; 1 where neither is there."""
    return made / max(real, _LEAST) if max(made, real) > _LEAST else 1.0


def _bands(image: Voxels, mask: Mask) -> Iterator[float]:
    """Standard deviation of each band inside the mask, finest first."""
    blurs = (_blurred(image, mask, width) for width in WIDTHS)
    sharper = next(blurs)
    for blurred in blurs:
        yield float(np.std((sharper - blurred)[mask], dtype=np.float64))
        sharper = blurred


def _blurred(image: Voxels, mask: Mask, width: float) -> Float32[np.ndarray, "i j k"]:
    """Blur of what lies in the mask, undarkened by what lies outside; 0 there."""
    weights = mask.astype(np.float32)
    if width == 0:
        return image * weights
    total = gaussian_filter(image * weights, width)
    blurred: Float32[np.ndarray, "i j k"] = total / np.maximum(gaussian_filter(weights, width), np.float32(_LEAST))
    return blurred * weights


TEXTURE: Final[tuple[Metric[ImagePair], ...]] = (
    through_plane(2),
    Metric("grain_ratio", "1", Direction.ONE, grain_ratio, DEFINED, "Grain, made over real"),
    Metric("spectrum_distance", "octaves", Direction.LOWER, spectrum_distance, DEFINED, "Distance of spectra"),
)
"""Metrics of the brain that compare one draw with the scan, for axial slices."""
STREAKS: Final = streaks(2)
"""Metrics of streaks in the lesion, for axial slices."""


COARSE_VOXELS: Final = 2.0
"""Width (standard deviation) of the blur under which only brightness and contrast of structures are left."""


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """Several images of one contrast for one label map.

    Args:
        images: The draws.
        mask: Where they are compared; not empty.

    Raises:
        GeometryError: The mask lies on another grid.
        CaseError: The mask is empty.
    """

    images: Float32[np.ndarray, "draw _ _ _"]
    mask: Bool[np.ndarray, "_ _ _"]

    def __post_init__(self) -> None:
        if self.images.shape[1:] != self.mask.shape:
            raise GeometryError(f"draws of shape {self.images.shape[1:]}", f"shape {self.mask.shape}, the mask's")
        if not self.mask.any():
            raise CaseError("an empty mask to compare draws in", "at least one voxel", "leave the region out")


def diversity(draws: Draws, blur_voxels: float = 0.0) -> float:
    """Mean absolute difference inside the mask between two draws, over all pairs of draws.

    Grain that is drawn anew counts too, 1.13 standard deviations of it where
    nothing else differs; blurred draws leave it out.

    Args:
        draws: The images; fewer than two give 0.
        blur_voxels: Width of a blur before they are compared.

    Example:
        >>> images = np.stack([np.full((2, 2, 2), value, np.float32) for value in (0, 1, 2)])
        >>> round(diversity(Draws(images, np.ones((2, 2, 2), dtype=bool))), 3)
        1.333
    """
    values = [(gaussian_filter(image, blur_voxels) if blur_voxels else image)[draws.mask] for image in draws.images]
    differences = [float(np.mean(np.abs(a - b), dtype=np.float64)) for a, b in combinations(values, 2)]
    return float(np.mean(differences)) if differences else 0.0


DIVERSITY: Final[tuple[Metric[Draws], ...]] = (
    Metric("diversity", "intensity", Direction.HIGHER, diversity, DEFINED, "Difference between draws"),
    Metric(
        "diversity_coarse",
        "intensity",
        Direction.HIGHER,
        partial(diversity, blur_voxels=COARSE_VOXELS),
        DEFINED,
        "Difference between blurred draws",
    ),
)
"""All metrics of draws: with grain, and without."""
