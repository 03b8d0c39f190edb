"""A small picture of a case: one axial slice of each contrast with the borders of its labels.

As in reports, anterior is up and the patient's left is on the right.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Integer, Shaped, UInt8
from scipy import ndimage

from glioforge.core import LabelScheme, Modality
from glioforge.data.doctor.opened import Opened, scaled

SIDE = 144
Tile = UInt8[np.ndarray, "row column 3"]


def thumbnails(case: Opened) -> dict[Modality, Tile]:
    """A tile for each image, through the largest part of the lesion, else the middle of the brain."""
    index = _slice_index(case)
    box = _box(case)
    axes, _ = case.geometry.canonical_axes()
    pixel = (case.geometry.spacing[axes[0]], case.geometry.spacing[axes[1]])
    tiles = {}
    for modality, scan in case.images.items():
        slice_ = scaled(scan, _cropped(case.plane(scan.voxels, index), box))
        tiles[modality] = _tile(slice_, case.backgrounds[modality], pixel)
        if case.values is not None:
            labels = _square(_cropped(case.plane(case.values, index), box), pixel)
            _draw_borders(tiles[modality], labels, case.scheme)
    return tiles


def montage(tiles: Mapping[Modality, Tile], columns: tuple[Modality, ...]) -> UInt8[np.ndarray, "row wide 3"]:
    """Tiles beside each other in the order of the columns; grey where a contrast is missing."""
    missing = np.full((SIDE, SIDE, 3), 96, dtype=np.uint8)
    return np.concatenate([tiles.get(modality, missing) for modality in columns], axis=1)


def _slice_index(case: Opened) -> int:
    """Slice with most lesion, else the middle one of the brain."""
    for mask in (None if case.lesion is None else case.small(case.lesion), case.small_brain):
        if mask is not None and mask.any():
            return int(mask.sum(axis=(0, 1)).argmax())
    return case.small_brain.shape[2] // 2


def _box(case: Opened) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the brain lies along right and front, in shares of the image, with a margin; everything without one."""
    shares = []
    for axis in (0, 1):
        along = np.flatnonzero(case.small_brain.any(axis=tuple(a for a in range(3) if a != axis)))
        count = case.small_brain.shape[axis]
        low, high = (along[0] - 2, along[-1] + 3) if len(along) else (0, count)
        shares.append((max(0.0, low / count), min(1.0, high / count)))
    return shares[0], shares[1]


def _cropped(
    slice_: Shaped[np.ndarray, "x y"], box: tuple[tuple[float, float], tuple[float, float]]
) -> Shaped[np.ndarray, "a b"]:
    """The part of a slice within a box given in shares."""
    (left, right), (back, front) = box
    wide, deep = slice_.shape
    return slice_[int(left * wide) : -int(-right * wide // 1), int(back * deep) : -int(-front * deep // 1)]


def _tile(slice_: Shaped[np.ndarray, "x y"], background: float, spacing: tuple[float, float]) -> Tile:
    """A slice in grey, from its 1st to its 99th percentile, on a square of `SIDE` pixels."""
    shown = slice_[slice_ != background]
    low, high = np.percentile(shown, (1, 99)) if len(shown) else (0.0, 1.0)
    grey = np.clip((slice_ - low) / max(float(high - low), 1e-9), 0, 1) * 230 + 25
    levels = _square(np.where(slice_ == background, 0, grey).astype(np.uint8), spacing)
    return np.repeat(levels[:, :, None], 3, axis=2)


def _square(slice_: Shaped[np.ndarray, "x y"], spacing: tuple[float, float]) -> Shaped[np.ndarray, "row column"]:
    """A slice as seen by a radiologist, with square pixels, in the middle of a square of `SIDE` pixels."""
    extent = [slice_.shape[axis] * spacing[axis] for axis in (0, 1)]
    sizes = [max(1, int(SIDE * length / max(extent))) for length in extent]
    picks = [np.arange(size) * slice_.shape[axis] // size for axis, size in enumerate(sizes)]
    seen = slice_[np.ix_(*picks)][::-1, ::-1].T
    square = np.zeros((SIDE, SIDE), dtype=seen.dtype)
    top, left = (SIDE - seen.shape[0]) // 2, (SIDE - seen.shape[1]) // 2
    square[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return square


def _draw_borders(tile: Tile, labels: Integer[np.ndarray, "row column"], scheme: LabelScheme | None) -> None:
    """Draw the inner border of each label in its colour; of an unknown one in yellow."""
    for value in np.unique(labels[labels != 0]).tolist():
        name = next((n for n, v in scheme.labels.items() if v == value), "") if scheme else ""
        if scheme is not None and name in scheme.tissue:
            continue
        mask = labels == value
        border = mask & ~ndimage.binary_erosion(mask)
        tile[border] = scheme.colours.get(name, (245, 208, 66)) if scheme else (245, 208, 66)
