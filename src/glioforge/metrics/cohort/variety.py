"""Variety within a set: multi-scale structural similarity (MS-SSIM) of pairs of different cases.

Source: Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216; as a measure of variety
Odena et al. 2017, arXiv:1610.09585, section 4.2.  A generator that makes one image
again and again has a higher mean than the scans; the difference from the spread of
the scans is what counts, not the mean.

Conventions
-----------
borders   mirrored; contrast and structure of all but the last scale are averaged over whole windows, as in torchmetrics
image     `(row, column)`, the axial slice with most brain of each contrast
scales    as many of Wang's five as the window of 11 pixels fits, their weights scaled to sum 1
"""

from itertools import combinations
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64
from scipy.ndimage import correlate1d

WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of Wang's scales, finest first."""
_TAPS: Final = 11
_SIGMA: Final = 1.5
_WINDOW: Final = np.exp(-0.5 * ((np.arange(_TAPS) - _TAPS // 2) / _SIGMA) ** 2)

Image = Float32[np.ndarray, "row column"]


def ms_ssim(x: Image, y: Image, data_range: float, weights: tuple[float, ...] | None = None) -> float:
    """Similarity of two images, 0 (negative similarities count as none) to 1.

    Args:
        x: An image of at least 11 pixels along each side.
        y: Another of that size.
        data_range: Largest minus smallest value that such images can have.
        weights: Of each scale, finest first; `weights_of` unless given.

    Example:
        >>> image = np.random.default_rng(0).standard_normal((48, 48)).astype(np.float32)
        >>> round(ms_ssim(image, image, 10.0), 6)
        1.0
    """
    chosen = weights_of(*x.shape) if weights is None else weights
    a, b = x.astype(np.float64), y.astype(np.float64)
    value = 1.0
    for number, weight in enumerate(chosen):
        if number:
            a, b = _halved(a), _halved(b)
        whole, structure = _similarity(a, b, data_range)
        value *= max(whole if number == len(chosen) - 1 else structure, 0.0) ** weight
    return value


def weights_of(rows: int, columns: int) -> tuple[float, ...]:
    """Weights of the scales that images of this size have room for; one at least.

    Example:
        >>> len(weights_of(96, 96))
        4
    """
    count = max(1, min(len(WEIGHTS), int(np.log2(max(min(rows, columns), 1) / _TAPS)) + 1))
    total = sum(WEIGHTS[:count])
    return tuple(weight / total for weight in WEIGHTS[:count])


def likeness_of_pairs(
    images: Float32[np.ndarray, "case contrast row column"], data_range: float
) -> Float64[np.ndarray, "case case"]:
    """MS-SSIM of every two cases, mean over contrasts; 1 on the diagonal."""
    found = np.eye(len(images))
    for a, b in combinations(range(len(images)), 2):
        values = [ms_ssim(x, y, data_range) for x, y in zip(images[a], images[b], strict=True)]
        found[a, b] = found[b, a] = float(np.mean(values))
    return found


def mean_of_pairs(likeness: Float64[np.ndarray, "n n"]) -> float:
    """Mean over pairs of different cases.

    Example:
        >>> mean_of_pairs(np.array([[1.0, 0.25], [0.25, 1.0]]))
        0.25
    """
    count = len(likeness)
    return float(likeness.sum() - np.trace(likeness)) / (count * (count - 1))


def _similarity(x: Float64[np.ndarray, "r c"], y: Float64[np.ndarray, "r c"], data_range: float) -> tuple[float, float]:
    """Mean structural similarity, and its part of contrast and structure."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_x, mean_y, xx, yy, xy = (_windowed(values) for values in (x, y, x * x, y * y, x * y))
    structure = (2 * (xy - mean_x * mean_y) + c2) / (xx - mean_x**2 + yy - mean_y**2 + c2)
    whole = structure * (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    edge = _TAPS // 2
    inner = structure[edge : len(structure) - edge, edge : structure.shape[1] - edge]
    return float(whole.mean()), float(inner.mean())


def _windowed(values: Float64[np.ndarray, "r c"]) -> Float64[np.ndarray, "r c"]:
    """Weighted mean of every window; borders are mirrored."""
    kernel = _WINDOW / _WINDOW.sum()
    means: Float64[np.ndarray, "r c"] = correlate1d(
        correlate1d(values, kernel, axis=0, mode="mirror"), kernel, axis=1, mode="mirror"
    )
    return means


def _halved(values: Float64[np.ndarray, "r c"]) -> Float64[np.ndarray, "_ _"]:
    """Means of two by two pixels; an odd last row or column is left out."""
    rows, columns = (n // 2 * 2 for n in values.shape)
    even = values[:rows, :columns]
    small: Float64[np.ndarray, "_ _"] = even.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
    return small
