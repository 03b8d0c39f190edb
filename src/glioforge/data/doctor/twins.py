"""Scans of different cases that are nearly the same: a copy that was filtered, resampled, mirrored or renamed.

Each image becomes a coarse picture of its brain's box, 12 x 12 x 12 means, and
pictures are compared by correlation.  Different heads, phantoms of one atlas
among them, stay below 0.8; copies with noise, mirrored ones too, above 0.95.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Float64

from glioforge.core import Modality
from glioforge.data.doctor.opened import Finding, Opened, Small

SIDE = 12
Coarse = Float32[np.ndarray, "12 12 12"]
_ALIKE = 0.9


def coarse_images(case: Opened) -> dict[Modality, Coarse]:
    """Coarse picture of each image within the box of the brain; none where there is no brain."""
    inside = np.argwhere(case.small_brain)
    if not len(inside) or not case.z:
        return {}
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(inside.min(axis=0), inside.max(axis=0), strict=True))
    brain = case.small_brain[box]
    return {modality: _block_means(np.where(brain, voxels[box], 0)) for modality, voxels in case.z.items()}


def twins(cases: Sequence[tuple[str, str, Mapping[Modality, Coarse]]]) -> list[Finding]:
    """A warning for each pair of cases of which some contrast looks the same, straight or mirrored.

    Args:
        cases: Id, subject and coarse pictures of each case.
    """
    findings = []
    for modality in Modality:
        shown = [(case_id, subject, coarse[modality]) for case_id, subject, coarse in cases if modality in coarse]
        for first, second, agreement, way in _alike(shown):
            what = f"{modality.title} is nearly that of {first[0]}{way} (correlation {agreement:.4f})"
            remedy = "look at both; the same head under two names leaks between training and test"
            if first[1] == second[1]:
                continue
            findings.append(Finding("warning", "nearly the same scan", second[0], "", what, remedy))
    return findings


def _alike(
    shown: Sequence[tuple[str, str, Coarse]],
) -> list[tuple[tuple[str, str, Coarse], tuple[str, str, Coarse], float, str]]:
    """Pairs whose coarse pictures agree, with their agreement and whether one is mirrored."""
    if len(shown) < 2:
        return []
    straight = np.stack([coarse for _, _, coarse in shown]).astype(np.float64)
    units = _units(straight)
    pairs = []
    for way, other in (("", units), (" mirrored", _units(straight[:, ::-1]))):
        agreement = units @ other.T
        for i, j in np.argwhere(np.triu(agreement > _ALIKE, 1)):
            pairs.append((shown[int(i)], shown[int(j)], float(agreement[i, j]), way))
    return pairs


def _units(pictures: Float64[np.ndarray, "n 12 12 12"]) -> Float64[np.ndarray, "n d"]:
    """Each picture as a vector of mean 0 and length 1; 0 for a constant one."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    units: Float64[np.ndarray, "n d"] = flat / np.where(length > 0, length, 1)
    return units


def _block_means(voxels: Small) -> Coarse:
    """Means of 12 x 12 x 12 blocks; small boxes repeat their voxels."""
    for axis in range(3):
        length = voxels.shape[axis]
        if length < SIDE:
            voxels = voxels.take(np.arange(SIDE) * length // SIDE, axis=axis)
            continue
        starts = np.rint(np.arange(SIDE) * length / SIDE).astype(np.int64)
        sizes = np.diff([*starts, length])
        shape = [1, 1, 1]
        shape[axis] = SIDE
        voxels = np.add.reduceat(voxels, starts, axis=axis) / sizes.reshape(shape)
    coarse: Coarse = voxels.astype(np.float32)
    return coarse
