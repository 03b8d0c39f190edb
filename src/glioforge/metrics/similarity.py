"""How like a real image a made one is: MSE, MAE, RMSE, PSNR and SSIM inside a mask.

Such numbers compare with the one real image that has the same labels, so they
mean something only for label maps that were not edited.

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
"""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from jaxtyping import Float32
from scipy.ndimage import gaussian_filter

from glioforge.metrics.base import DEFINED, Direction, Metric, MetricRow
from glioforge.metrics.pair import AnyImage, AnyMask, ImagePair

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


def ssim_in_mask(image: AnyImage, reference: AnyImage, mask: AnyMask, data_range: float = PREPARED_RANGE) -> float:
    """Mean structural similarity of two images inside a mask, window of three dimensions.

    Raises:
        GeometryError: Shapes differ.
        CaseError: The mask is empty or the range is not positive.
    """
    return ssim(ImagePair(image, reference, mask, data_range).cut(_RADIUS))


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
