"""How like a real image a synthetic one is: MSE, MAE, RMSE, PSNR and SSIM inside a mask, and distance of patches.

Voxel-wise numbers compare with the one real image that has the same labels, so they
mean something only for label maps that were not edited.

The sliced Wasserstein distance of patches in levels of a Laplacian pyramid (Karras
et al. 2018, arXiv:1710.10196, section 5; Rabin et al. 2011) says how much small
patches look alike, wherever they lie.  A blurred image lacks the patches with edges
and grain, a noisy one those without; voxel-wise likeness prefers the former.  It
needs no trained network.  Differences from the paper: patches lie whole inside a
mask, on slices of the last axis; one contrast at a time; both images are scaled by
the real one's spread, so that too little contrast counts; and what remains below the
levels is left out, since it shows how bright a subject is, not how an image looks.

Conventions
-----------
mask        every number is over the voxels of a mask (brain, lesion, their
            difference), never over the background, where all images agree
data range  always given: 255 for grey values, 10 for prepared images, which are
            clipped to [-5, 5]
SSIM        Wang et al. 2004, eq. 13: Gaussian window of sigma 1.5 cut at 3.5
            sigma (11 voxels), K1 0.01, K2 0.03, population covariance, borders
            mirrored; the map is averaged over the mask.  `ssim` takes the window
            in three dimensions, `ssim_slices` in the axial plane `(i, j)` alone,
            as 2-D papers do
            scikit-image averages the map over the whole image or crops its
            border, and takes no mask; a test compares both where they agree
identities  RMSE = sqrt(MSE), MAE <= RMSE, PSNR = 10 log10(range² / MSE)
level       0 is the finest; each next one is half as large
descriptor  the 49 voxels of a patch
"""

import math
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import convolve1d, gaussian_filter, minimum_filter

from glioforge.core import Mask
from glioforge.metrics.base import DEFINED, AnyImage, AnyMask, Direction, ImagePair, Metric, MetricRow

PREPARED_RANGE: Final = 10.0
"""Data range of prepared images, which are clipped to [-5, 5]."""
PSNR_CAP_DB: Final = 100.0
"""PSNR of equal images, whose formula is infinite."""

_SIGMA: Final = 1.5
_TRUNCATE: Final = 3.5
_RADIUS: Final = 5


def psnr_of(mse: float, data_range: float) -> float:
    """PSNR in dB of a mean squared error; at most 100, which a zero error gives.

    Example:
        >>> round(psnr_of(19.246, 255.0), 2)
        35.29
    """
    return min(PSNR_CAP_DB, 10 * math.log10(data_range**2 / mse)) if mse > 0 else PSNR_CAP_DB


def mse(pair: ImagePair) -> float:
    """Mean squared error inside the mask."""
    return float(np.mean(np.square(pair.errors, dtype=np.float64)))


def rmse(pair: ImagePair) -> float:
    """Root of the mean squared error inside the mask."""
    return math.sqrt(mse(pair))


def mae(pair: ImagePair) -> float:
    """Mean absolute error inside the mask."""
    return float(np.mean(np.abs(pair.errors), dtype=np.float64))


def psnr(pair: ImagePair) -> float:
    """Peak signal-to-noise ratio in dB inside the mask, the peak being the data range."""
    return psnr_of(mse(pair), pair.data_range)


def ssim(pair: ImagePair) -> float:
    """Mean structural similarity inside the mask, with a window of three dimensions."""
    return _mean_ssim(pair, (_SIGMA, _SIGMA, _SIGMA))


def ssim_slices(pair: ImagePair) -> float:
    """Mean structural similarity inside the mask, with a window in the axial plane."""
    return _mean_ssim(pair, (_SIGMA, _SIGMA, 0.0))


def compare_images(
    image: AnyImage,
    reference: AnyImage,
    mask: AnyMask,
    *,
    data_range: float,
    region: str = "brain",
    metrics: Iterable[Metric[ImagePair]] | None = None,
) -> list[MetricRow]:
    """Compare a made image with the real one inside a mask.

    Args:
        image: The made image, `(i, j, k)`.
        reference: The real one, on the same grid.
        mask: Where to compare; not empty.
        data_range: Largest minus smallest value that such images can have.
        region: Name of the mask for the rows.
        metrics: All of `SIMILARITY` unless given.

    Raises:
        GeometryError: Shapes differ.
        CaseError: The mask is empty or the range is not positive.
    """
    pair = ImagePair(image, reference, mask, data_range).cut(_RADIUS)
    chosen = SIMILARITY if metrics is None else tuple(metrics)
    return [MetricRow(region, m.name, m.function(pair), m.unit) for m in chosen]


def _mean_ssim(pair: ImagePair, sigma: tuple[float, float, float]) -> float:
    """SSIM map averaged over the mask."""
    x, y = pair.image, pair.reference
    mean_x, mean_y = _blur(x, sigma), _blur(y, sigma)
    variance_x = _blur(x * x, sigma) - mean_x * mean_x
    variance_y = _blur(y * y, sigma) - mean_y * mean_y
    covariance = _blur(x * y, sigma) - mean_x * mean_y
    c1, c2 = (0.01 * pair.data_range) ** 2, (0.03 * pair.data_range) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float(np.mean(similarity[pair.mask], dtype=np.float64))


def _blur(values: Float32[np.ndarray, "i j k"], sigma: tuple[float, float, float]) -> Float32[np.ndarray, "i j k"]:
    """Gaussian window; an axis of sigma 0 is left alone."""
    blurred: Float32[np.ndarray, "i j k"] = gaussian_filter(values, sigma, truncate=_TRUNCATE)
    return blurred


SIMILARITY: Final[tuple[Metric[ImagePair], ...]] = (
    Metric("ssim", "1", Direction.HIGHER, ssim, DEFINED, "SSIM"),
    Metric("ssim_slices", "1", Direction.HIGHER, ssim_slices, DEFINED, "SSIM, slice by slice"),
    Metric("psnr", "dB", Direction.HIGHER, psnr, DEFINED, "PSNR"),
    Metric("mae", "intensity", Direction.LOWER, mae, DEFINED, "MAE"),
    Metric("rmse", "intensity", Direction.LOWER, rmse, DEFINED, "RMSE"),
    Metric("mse", "intensity²", Direction.LOWER, mse, DEFINED, "MSE"),
)
"""All metrics of this module that compare two images."""


SIDE: Final = 7
"""Voxels along a patch."""
LEVELS: Final = 2
"""Levels that are compared."""
MOST_PATCHES: Final = 4096
"""Patches drawn from a level; the same places in both images."""
DIRECTIONS: Final = 128
"""Random directions that descriptors are projected on."""
_KERNEL: Final = np.array([1, 4, 6, 4, 1], dtype=np.float32) / 16
_LEAST: Final = 1e-6

Image = Float32[np.ndarray, "_ _ _"]
Descriptors = Float64[np.ndarray, "patch voxel"]


def sliced_wasserstein(pair: ImagePair) -> float:
    """Mean distance over levels and directions, in standard deviations of the real image's level; 0 is ideal.

    Args:
        pair: Made and real image; the mask is usually the brain.

    Returns:
        0 where no whole patch lies in the mask.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> real = rng.standard_normal((32, 32, 4)).astype(np.float32)
        >>> inside = np.ones(real.shape, dtype=bool)
        >>> sliced_wasserstein(ImagePair(real, real.copy(), inside, 1.0))
        0.0
        >>> 0.3 < sliced_wasserstein(ImagePair(real / 2, real, inside, 1.0)) < 0.5
        True
    """
    rng = np.random.default_rng(0)
    found = []
    for made, real, mask in _levels(pair):
        places = np.argwhere(minimum_filter(mask, size=(SIDE, SIDE, 1), mode="constant", cval=0))
        if len(places):
            chosen = places[rng.choice(len(places), min(MOST_PATCHES, len(places)), replace=False)]
            found.append(_distance(_descriptors(made, chosen), _descriptors(real, chosen), rng))
    return float(np.mean(found)) if found else 0.0


def _levels(pair: ImagePair) -> Iterator[tuple[Image, Image, Mask]]:
    """Differences between blurs of both images, finest first."""
    made, real, mask = pair.image * pair.mask, pair.reference * pair.mask, pair.mask
    for _ in range(LEVELS):
        blurred, coarse = _blurred(made), _blurred(real)
        yield made - blurred, real - coarse, mask
        made, real, mask = (part[::2, ::2] for part in (blurred, coarse, mask))


def _blurred(image: Image) -> Image:
    """Binomial blur within slices."""
    once: Image = convolve1d(image, _KERNEL, axis=0, mode="nearest")
    twice: Image = convolve1d(once, _KERNEL, axis=1, mode="nearest")
    return twice


def _descriptors(image: Image, places: np.ndarray) -> Descriptors:
    """Patches around places at least half a side from the edges."""
    windows = sliding_window_view(image, (SIDE, SIDE), axis=(0, 1))
    i, j, k = (places - (SIDE // 2, SIDE // 2, 0)).T
    return windows[i, j, k].reshape(len(places), -1).astype(np.float64)


def _distance(made: Descriptors, real: Descriptors, rng: np.random.Generator) -> float:
    """Mean over directions of the distance between the two sets' projections."""
    directions = rng.standard_normal((SIDE * SIDE, DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    mean, spread = real.mean(), max(float(real.std()), _LEAST)
    projected = [np.sort((patches - mean) / spread @ directions, axis=0) for patches in (made, real)]
    return float(np.abs(projected[0] - projected[1]).mean())


PATCHES: Final[tuple[Metric[ImagePair], ...]] = (
    Metric("swd", "1", Direction.LOWER, sliced_wasserstein, DEFINED, "Distance of patches"),
)
"""All metrics of this module."""
