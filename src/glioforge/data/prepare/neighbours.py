"""Neighbourhoods of voxels: smoothing class probabilities and clearing specks."""

import numpy as np
from jaxtyping import Float32, UInt8
from scipy import ndimage

from glioforge.core.volume import Mask

_CROSS = ndimage.generate_binary_structure(3, 1)


def mean_field(
    logs: Float32[np.ndarray, "class i j k"],
    region: Mask,
    spacing: tuple[float, float, float],
    weight: float,
    rounds: int,
) -> Float32[np.ndarray, "class i j k"]:
    """Class probabilities under a Potts model, by mean-field iterations (Zhang et al. 2001, in spirit).

    Args:
        logs: Log posterior of each class without neighbours.
        region: Voxels that take part; others give and take nothing.
        spacing: Voxel size in mm; nearer neighbours weigh more.
        weight: Log odds gained for each whole neighbour (of six on a cubic grid) of the same class; 0 for none.
        rounds: Iterations.

    Returns:
        Probabilities, 0 outside the region.
    """
    near = np.array([min(spacing) / s for s in spacing], dtype=np.float32)
    probabilities = _softmax(logs) * region
    for _ in range(rounds):
        field = np.zeros_like(logs)
        for axis in range(3):
            step = near[axis] * weight
            ahead, behind = [slice(None)] * 4, [slice(None)] * 4
            ahead[axis + 1], behind[axis + 1] = slice(1, None), slice(None, -1)
            field[tuple(ahead)] += step * probabilities[tuple(behind)]
            field[tuple(behind)] += step * probabilities[tuple(ahead)]
        probabilities = _softmax(logs + field) * region
    return np.asarray(probabilities)


def clear_specks(
    labels: UInt8[np.ndarray, "i j k"], region: Mask, least: int, values: tuple[int, ...]
) -> UInt8[np.ndarray, "i j k"]:
    """Give connected parts of fewer than `least` voxels the most frequent other class around them.

    Args:
        labels: Label map.
        region: Voxels that may change; others may be taken as neighbours if they hold one of the values.
        least: Smallest part that stays; 1 or less changes nothing.
        values: Classes concerned.
    """
    if least <= 1:
        return labels
    specks = np.zeros(labels.shape, dtype=bool)
    for value in values:
        parts, count = ndimage.label((labels == value) & region, _CROSS)
        if count:
            specks |= (np.bincount(parts.ravel()) < least)[parts] & (parts > 0)
    result = labels.copy()
    for _ in range(least):
        if not specks.any():
            break
        votes = np.stack([_around((result == v) & ~specks) for v in values])
        found = specks & (votes.max(axis=0) > 0)
        result[found] = np.array(values, dtype=np.uint8)[votes.argmax(axis=0)[found]]
        specks &= ~found
    return result


def _around(mask: Mask) -> UInt8[np.ndarray, "i j k"]:
    """Number of the 26 neighbours that lie in a mask, plus the voxel itself."""
    counts = mask.astype(np.uint8)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        cut = [[slice(None)] * 3 for _ in range(3)]
        for shift in range(3):
            cut[shift][axis] = slice(shift, shift + counts.shape[axis])
        counts = padded[tuple(cut[0])] + padded[tuple(cut[1])] + padded[tuple(cut[2])]
    return np.asarray(counts, dtype=np.uint8)


def _softmax(logs: Float32[np.ndarray, "class i j k"]) -> Float32[np.ndarray, "class i j k"]:
    """Probabilities from log odds, over the first axis."""
    powers = np.exp(logs - logs.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))
