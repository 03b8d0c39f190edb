"""How much the small patches of a made image look like those of a real one, wherever they lie.

Sliced Wasserstein distance of patches in levels of a Laplacian pyramid (Karras
et al. 2018, arXiv:1710.10196, section 5; Rabin et al. 2011).  A blurred image
lacks the patches with edges and grain, a noisy one those without; voxel-wise
likeness prefers the former.  It needs no trained network.

Differences from the paper: patches lie whole inside a mask, on slices of the
last axis; one contrast at a time; both images are scaled by the real one's
spread, so that too little contrast counts; and what remains below the levels is
left out, since it tells how bright a subject is, not how an image looks.

Conventions
-----------
level       0 is the finest; each next one is half as large
descriptor  the 49 voxels of a patch
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import convolve1d, minimum_filter

from glioforge.core import Mask
from glioforge.metrics.base import DEFINED, Direction, Metric
from glioforge.metrics.pair import ImagePair

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
