"""Windows that cover a volume and overlap, and the blend of what a network says in them.

Windows are spread evenly, and the middle of each weighs more than its border, by a
Gaussian with a deviation of an eighth of the window, as in nnU-Net (Isensee et al.
2021, doi:10.1038/s41592-020-01008-z, methods).
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float32

if TYPE_CHECKING:
    import torch

_DEVIATION: Final = 1 / 8
_LEAST: Final = 1e-3
"""Smallest weight, so that a corner that one window alone covers is not divided by nearly 0."""


def over_windows(
    run: "Callable[[torch.Tensor], torch.Tensor]", volume: "torch.Tensor", size: Sequence[int], overlap: float
) -> "torch.Tensor":
    """Run a network over a volume window by window, and blend: `(1, c, x, y, z)` to float32 `(1, n, x, y, z)`.

    Args:
        run: Maps a window `(1, c, *size)` to `(1, n, *size)`.
        volume: Padded with 0 about its middle where it is smaller than a window.
        size: Voxels of a window along each axis.
        overlap: Share by which neighbouring windows overlap at least, in [0, 1).
    """
    import torch
    from torch.nn import functional

    grid = volume.shape[2:]
    lacking = [max(0, want - have) for have, want in zip(grid, size, strict=True)]
    before = [missing // 2 for missing in lacking]
    sides = [(first, missing - first) for first, missing in zip(before, lacking, strict=True)]
    padded = functional.pad(volume, [width for side in reversed(sides) for width in side])
    weight = torch.from_numpy(window_weight(size)).to(volume.device)
    total: torch.Tensor | None = None
    weights = torch.zeros(padded.shape[2:], device=volume.device)
    for corner in itertools.product(*(starts(n, w, overlap) for n, w in zip(padded.shape[2:], size, strict=True))):
        place = tuple(slice(first, first + width) for first, width in zip(corner, size, strict=True))
        found = run(padded[(slice(None), slice(None), *place)]).float()
        if total is None:
            total = found.new_zeros((1, found.shape[1], *padded.shape[2:]))
        total[(slice(None), slice(None), *place)] += found * weight
        weights[place] += weight
    blended = padded if total is None else total / weights
    inside = tuple(slice(first, first + n) for first, n in zip(before, grid, strict=True))
    return blended[(slice(None), slice(None), *inside)]


def starts(extent: int, width: int, overlap: float) -> list[int]:
    """Return the first voxels of windows that cover an axis, evenly spread; 0 alone where one covers it.

    Example:
        >>> starts(20, 8, 0.5), starts(5, 8, 0.5)
        ([0, 4, 8, 12], [0])
    """
    if extent <= width:
        return [0]
    count = math.ceil((extent - width) / max(1, math.floor(width * (1 - overlap)))) + 1
    return [round(place) for place in np.linspace(0, extent - width, count)]


def window_weight(size: Sequence[int]) -> Float32[np.ndarray, "x y z"]:
    """Return the weight of each voxel of a window, 1 in its middle."""
    profiles = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n * _DEVIATION)) ** 2) for n in size]
    x, y, z = profiles
    weight = x[:, None, None] * y[None, :, None] * z[None, None, :]
    return np.maximum(weight / weight.max(), _LEAST).astype(np.float32)
