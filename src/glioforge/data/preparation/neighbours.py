"""Clean tissue classes by their neighbourhood: smooth probabilities, clear specks, remove the ring at the ventricles.

Half fluid and half white matter is as bright as grey matter in T1 and T2, and
caps and bands of bright white matter are as bright as grey matter in FLAIR.
A thin sheet of grey matter between a ventricle and white matter (the ring)
goes to one of the two, unless the average brain expects grey matter there
(caudate, thalamus, hippocampus), or the sheet is part of something thick.
"""

import numpy as np
from jaxtyping import Float32, UInt8
from scipy import ndimage

from glioforge.core import Mask

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
    # A speck is at most this thick, so as many rounds from its rim inwards reach all of it.
    for _ in range(least):
        if not specks.any():
            break
        votes = np.stack([_around((result == v) & ~specks) for v in values])
        found = specks & (votes.max(axis=0) > 0)
        result[found] = np.array(values, dtype=np.uint8)[votes.argmax(axis=0)[found]]
        specks &= ~found
    return result


def least_part(voxels: int, spacing: tuple[float, float, float]) -> int:
    """Return a least number of voxels that is meant for 2 mm and finer: on coarser grids, those of the same volume.

    Example:
        >>> least_part(20, (1.0, 1.0, 1.0)), least_part(20, (2.0, 2.0, 2.0)), least_part(20, (4.0, 4.0, 4.0))
        (20, 20, 2)
    """
    return min(voxels, round(voxels * 8 / float(np.prod(spacing))))


def clear_islands(
    labels: UInt8[np.ndarray, "i j k"], region: Mask, least: int, values: tuple[int, ...], rounds: int = 4
) -> UInt8[np.ndarray, "i j k"]:
    """Give each connected part of fewer than `least` voxels, whole, to the class that most of its neighbours have.

    Unlike `clear_specks`, no part is divided, so that no new islands arise from one that is filled; a few rounds
    take those that were neighbours of each other.  Parts without a neighbour of another class stay.

    Args:
        labels: Label map.
        region: Voxels that may change.
        least: Smallest part that stays; 1 or less changes nothing.
        values: Classes concerned; others are no neighbours.
        rounds: Most rounds.
    """
    result = labels
    for _ in range(rounds if least > 1 else 0):
        before = result
        for value in values:
            result = _absorbed(result, (result == value) & region, least, [v for v in values if v != value])
        if np.array_equal(before, result):
            break
    return result


def bridged(mask: Mask, chance: Float32[np.ndarray, "i j k"], least: int, threshold: float = 0.1) -> Mask:
    """Join small parts of a mask to others over single voxels that may belong to it.

    Sulci are thinner than a voxel in places; their parts touch by edges and corners only.

    Args:
        mask: Voxels of a class.
        chance: Probability of that class.
        least: Parts of fewer voxels, connected by faces, are joined.
        threshold: Least probability of a voxel that joins.
    """
    parts, count = ndimage.label(mask, _CROSS)
    padded = np.pad(parts, 1)
    beside = []
    for axis in range(3):
        for shift in (0, 2):
            cut = [slice(1, -1)] * 3
            cut[axis] = slice(shift, shift + parts.shape[axis])
            beside.append(padded[tuple(cut)])
    around = np.stack(beside)
    # A voxel joins two parts where the lowest and highest numbers around it differ; `count + 1` stands for no part.
    lowest = np.where(around > 0, around, count + 1).min(axis=0)
    highest = around.max(axis=0)
    small = np.append(np.bincount(parts.ravel(), minlength=count + 1) < least, False)
    joins = (lowest < highest) & (small[lowest] | small[highest])
    return mask | (joins & ~mask & (chance >= threshold))


def _absorbed(
    labels: UInt8[np.ndarray, "i j k"], mask: Mask, least: int, others: list[int]
) -> UInt8[np.ndarray, "i j k"]:
    """Give small parts of a mask to the class, of some others, that most of their neighbours have."""
    parts, count = ndimage.label(mask, _CROSS)
    small = np.flatnonzero(np.bincount(parts.ravel(), minlength=count + 1) < least)
    small = small[small > 0]
    votes = np.zeros((count + 1, len(others)), dtype=np.int64)
    for axis in range(3) if len(small) else ():
        ends = [[slice(None)] * 3 for _ in range(2)]
        ends[0][axis], ends[1][axis] = slice(1, None), slice(None, -1)
        for here, there in (ends, ends[::-1]):
            mine, beside = parts[tuple(here)], labels[tuple(there)]
            for n, other in enumerate(others):
                votes[:, n] += np.bincount(mine[beside == other], minlength=count + 1)
    small = small[votes[small].max(axis=1, initial=0) > 0]
    target = np.zeros(count + 1, dtype=np.uint8)
    target[small] = np.array(others, dtype=np.uint8)[votes[small].argmax(axis=1)]
    return np.where(target[parts] > 0, target[parts], labels)


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


_DEPTH_MM = 15.0
_REACH_MM = 4.5
_LEAST_MM3 = 200.0
_EXPECTED = 0.5
_UNEXPECTED = 0.35
_NARROW_MM = 2.2
_DEEP_MM = 22.0
_CSF, _GREY, _WHITE = 0, 1, 2


def without_ring(
    shares: Float32[np.ndarray, "3 i j k"],
    prior: Float32[np.ndarray, "4 i j k"],
    normal: Mask,
    spacing: tuple[float, float, float],
) -> UInt8[np.ndarray, "i j k"]:
    """Class of each voxel, 0 fluid, 1 grey and 2 white matter, without a ring around the ventricles.

    Args:
        shares: Probability of the three, 0 outside the brain.
        prior: Aligned probability of fluid, cortex, white matter and deep grey matter.
        normal: Brain without tumour.
        spacing: Voxel size in mm.
    """
    classes = shares.argmax(axis=0).astype(np.uint8)
    brain = shares.sum(axis=0) > 0
    ventricles = ventricles_of(classes == _CSF, prior[0] > _EXPECTED, brain, spacing)
    if not (ventricles & brain).any():
        return classes
    grey, white = ((classes == c) & normal for c in (_GREY, _WHITE))
    near = ndimage.distance_transform_edt(~ventricles, sampling=spacing) <= _REACH_MM
    beside_white = ndimage.distance_transform_edt(~white, sampling=spacing) <= _REACH_MM
    ring = grey & near & beside_white & (prior[1] + prior[3] < _UNEXPECTED) & thin_grey(grey, spacing)
    classes[ring] = np.where(shares[_CSF] > shares[_WHITE], _CSF, _WHITE)[ring]
    return classes


def ventricles_of(fluid: Mask, expected: Mask, brain: Mask, spacing: tuple[float, float, float]) -> Mask:
    """Wide parts of the fluid that the average brain's fluid deep in the brain lies in; sulci are too narrow."""
    core = ndimage.distance_transform_edt(fluid, sampling=spacing) > _NARROW_MM
    wide = fluid & (ndimage.distance_transform_edt(~core, sampling=spacing) <= _NARROW_MM) if core.any() else core
    # A mask may lack the ventricles; depth is measured from the outside of the head alone.
    padded = ndimage.binary_fill_holes(np.pad(brain, 1))
    depth = ndimage.distance_transform_edt(padded, sampling=spacing)[1:-1, 1:-1, 1:-1]
    parts, count = ndimage.label(wide & (depth > _DEPTH_MM), _CROSS)
    seen = np.bincount(parts.ravel(), (expected & (depth > _DEEP_MM)).ravel(), count + 1)
    large = seen * float(np.prod(spacing)) >= _LEAST_MM3
    # Number 0 is everything that is not labelled.
    large[0] = False
    return np.asarray(large[parts])


def thin_grey(grey: Mask, spacing: tuple[float, float, float]) -> Mask:
    """Grey matter nowhere more than about 2 mm from something else."""
    inner = ndimage.distance_transform_edt(grey, sampling=spacing) > 2.2
    return ~(ndimage.distance_transform_edt(~inner, sampling=spacing) <= 2.2) if inner.any() else np.ones_like(grey)
