"""Patches of the levels of a Laplacian pyramid, and their sliced Wasserstein distance, as PGAN measures it.

Source: Karras et al. 2018, arXiv:1710.10196, section 5: descriptors are patches of
7 × 7 pixels in all channels, 128 an image and level; channels are brought to mean 0
and standard deviation 1 over each set; the distance is the mean over 4 × 128 random
directions.  Label maps are taken as one channel a class.

Differences from the paper: the pyramid ends where a side would be shorter than 16
pixels, wherever that is; and centres of patches may be limited to a mask, since
half of a slice is air.

Conventions
-----------
images    `(image, channel, row, column)`
level     0 is the finest; the last is what the others leave, a small blurred image
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import convolve1d

from glioforge.metrics.cohort.halves import require_equal_counts

SIDE: Final = 7
"""Pixels along a patch."""
PATCHES: Final = 128
"""Patches of an image and level."""
DIRECTIONS: Final = 512
"""Random directions, the paper's 4 × 128."""
SMALLEST: Final = 16
"""Shortest side of a level, in pixels."""
_KERNEL: Final = np.array([1, 4, 6, 4, 1], dtype=np.float32) / 16
_BATCH: Final = 64
"""Directions that are projected on at a time."""

Images = Float32[np.ndarray, "_ _ _ _"]
Descriptors = Float32[np.ndarray, "_ _ _"]


def levels_of(rows: int, columns: int) -> int:
    """Number of levels of images of this size; 1 for small ones.

    Example:
        >>> levels_of(128, 128)
        4
    """
    return max(1, int(np.log2(max(min(rows, columns), 1) / SMALLEST)) + 1)


def laplacian_pyramid(images: Images, levels: int) -> list[Images]:
    """Differences between each image and its blur, finest first, and the last blur."""
    found = []
    for _ in range(levels - 1):
        small = np.ascontiguousarray(_blurred(images)[..., ::2, ::2])
        found.append(images - _enlarged(small, images.shape[-2:]))
        images = small
    return [*found, images]


def descriptors(
    images: Images,
    rng: np.random.Generator,
    *,
    count: int = PATCHES,
    inside: Bool[np.ndarray, "image row column"] | None = None,
) -> list[Descriptors]:
    """Patches at random places of each image and level.

    Args:
        images: Channels of one slice each.
        rng: Draws the places.
        count: Patches of an image and level.
        inside: Where centres may lie; wherever the patch lies whole in the image unless given.

    Returns:
        `(image · count, channel, 49)` for each level, finest first; fewer where a mask has no room for a patch.
    """
    levels = levels_of(*images.shape[-2:])
    mask = np.ones((len(images), *images.shape[-2:]), dtype=bool) if inside is None else inside
    found = []
    for level in laplacian_pyramid(images, levels):
        found.append(_patches(level, mask, count, rng))
        mask = mask[:, ::2, ::2]
    return found


def normalised(patches: Descriptors) -> Descriptors:
    """Channels with mean 0 and standard deviation 1 over all patches; constant channels become 0."""
    mean = patches.mean(axis=(0, 2), keepdims=True, dtype=np.float64).astype(np.float32)
    spread = patches.std(axis=(0, 2), keepdims=True, dtype=np.float64).astype(np.float32)
    scaled: Descriptors = (patches - mean) / np.where(spread > 1e-6, spread, np.float32(1))
    return scaled


def directions(length: int, count: int, rng: np.random.Generator) -> Float32[np.ndarray, "length direction"]:
    """Random unit vectors as columns."""
    vectors = rng.standard_normal((length, count)).astype(np.float32)
    unit: Float32[np.ndarray, "length direction"] = vectors / np.linalg.norm(vectors, axis=0)
    return unit


def sliced_distance(made: Float32[np.ndarray, "direction n"], real: Float32[np.ndarray, "direction m"]) -> float:
    """Mean over directions of the Wasserstein-1 distance of projections, which are sorted for it.

    Raises:
        CohortError: The numbers of patches differ.

    Example:
        >>> x = np.array([[0, 1, 2]], dtype=np.float32)
        >>> sliced_distance(x, x[:, ::-1] + 1)
        1.0
    """
    require_equal_counts(made.shape[1], real.shape[1], "sliced Wasserstein distance, patches")
    return float(np.abs(np.sort(made, axis=1) - np.sort(real, axis=1)).mean(dtype=np.float64))


def sliced_wasserstein(made: Images, real: Images, *, seed: int = 1, count: int = DIRECTIONS) -> tuple[float, ...]:
    """Distance of two sets of images at each level, finest first, as in the paper (which prints it times 1000).

    Args:
        made: Images of one size.
        real: As many.
        seed: Of places and directions.
        count: Number of directions.

    Raises:
        CohortError: The numbers of images differ.
    """
    require_equal_counts(len(made), len(real), "sliced Wasserstein distance, images")
    rng = np.random.default_rng(seed)
    found = []
    for ours, theirs in zip(descriptors(made, rng), descriptors(real, rng), strict=True):
        sides = [normalised(side).reshape(len(side), -1) for side in (ours, theirs)]
        vectors = directions(sides[0].shape[1], count, rng)
        parts = [vectors[:, first : first + _BATCH].T for first in range(0, count, _BATCH)]
        found.append(float(np.mean([sliced_distance(*(part @ side.T for side in sides)) for part in parts])))
    return tuple(found)


def _patches(level: Images, mask: Bool[np.ndarray, "..."], count: int, rng: np.random.Generator) -> Descriptors:
    """Patches around random places of each image."""
    windows = sliding_window_view(level, (SIDE, SIDE), axis=(2, 3))
    edge = SIDE // 2
    rows, columns = level.shape[2:]
    inner = mask[:, edge : rows - edge, edge : columns - edge]
    found = [np.zeros((0, level.shape[1], SIDE * SIDE), dtype=np.float32)]
    for window, room in zip(windows, inner, strict=True):
        places = np.flatnonzero(room)
        if len(places):
            i, j = np.unravel_index(rng.choice(places, count), room.shape)
            found.append(window[:, i, j].transpose(1, 0, 2, 3).reshape(count, level.shape[1], -1))
    return np.concatenate(found)


def _blurred(images: Images, factor: float = 1.0) -> Images:
    """Binomial blur of rows and columns."""
    kernel = _KERNEL * np.float32(factor)
    once: Images = convolve1d(images, kernel, axis=-1, mode="mirror")
    twice: Images = convolve1d(once, kernel, axis=-2, mode="mirror")
    return twice


def _enlarged(small: Images, shape: Sequence[int]) -> Images:
    """Twice as large, with the blur between pixels."""
    large = np.zeros((*small.shape[:2], *shape), dtype=np.float32)
    large[..., ::2, ::2] = small
    return _blurred(large, 2.0)
