"""Resampling one axis at a time: matrices that say how much of each old voxel goes into each new one.

Conventions
-----------
have, want  number of old and of new voxels
start       edge of the first new voxel, in old voxels
factor      length of a new voxel in old voxels
rows        sum to the share of the new voxel that lies inside the old grid
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32


def area_weights(have: int, want: int, start: float, factor: float) -> Float32[np.ndarray, "want have"]:
    """Share of each new voxel that each old voxel covers, along one axis.

    Example:
        >>> area_weights(4, 2, 0.0, 2.0).tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    first = (start + factor * np.arange(want))[:, None]
    old = np.arange(have)[None, :]
    overlap = np.minimum(first + factor, old + 1) - np.maximum(first, old)
    return np.asarray(np.clip(overlap, 0, None) / factor, dtype=np.float32)


def linear_weights(have: int, want: int, start: float, factor: float) -> Float32[np.ndarray, "want have"]:
    """Triangle weights as wide as the coarser of both spacings, along one axis.

    Rows of new voxels whose neighbourhood lies inside sum to 1; outside nothing is repeated.

    Example:
        >>> linear_weights(3, 2, 0.5, 1.0).tolist()
        [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    width = max(factor, 1.0)
    centre = (start + factor * (np.arange(want) + 0.5) - 0.5)[:, None]
    beyond = 2 * int(np.ceil(width))
    places = np.arange(-beyond, have + beyond)[None, :]
    apart = places - centre
    weights = np.clip(1 - np.abs(apart) / width, 0, None)
    # A sampled triangle leans to one side; tilting it back keeps linear ramps exact.
    lean, breadth = (weights * apart).sum(axis=1, keepdims=True), (weights * apart**2).sum(axis=1, keepdims=True)
    weights *= 1 - apart * np.divide(lean, breadth, out=np.zeros_like(lean), where=breadth > 1e-9)
    total = weights.sum(axis=1, keepdims=True)
    kept = weights[:, beyond : beyond + have]
    return np.asarray(np.divide(kept, total, out=np.zeros_like(kept), where=total > 0), dtype=np.float32)


def along_axes(
    voxels: Float32[np.ndarray, "i j k"], weights: Sequence[Float32[np.ndarray, "_ _"]]
) -> Float32[np.ndarray, "x y z"]:
    """Apply one matrix along each axis."""
    result = voxels
    for matrix in weights:
        result = np.moveaxis(np.tensordot(matrix, result, axes=(1, 0)), 0, 2)
    return np.ascontiguousarray(result)
