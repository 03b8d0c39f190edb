"""Slices and patches of stored cases, read without the rest of the case."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glioforge.core import CaseRef, GeometryError, Index
from glioforge.data.frames import cut, take
from glioforge.data.packed import Packed, Part
from glioforge.data.store import IMAGES, MASKS, assembled, known_entry


def read_slices(ref: CaseRef, axis: int, indices: Sequence[int]) -> Packed:
    """Read single slices of a stored case as integers; `images` are `(slice, channel, a, b)`, masks `(slice, a, b)`.

    Args:
        ref: A case of the store.
        axis: Axis cut, 0-2; a and b are the two others in their order. Along 2 only the slices asked for are read,
            along the others their blocks of 16 rows, or the whole case.
        indices: Slice numbers along that axis; none give arrays of length 0.

    Raises:
        GeometryError: A slice number lies outside the case.
        InputFileError: A file is missing or damaged.
    """
    folder, facts = known_entry(ref)
    depth = facts["geometry"]["shape"][axis]
    if any(not 0 <= number < depth for number in indices):
        raise GeometryError(
            f"slices {list(indices)}",
            f"numbers from 0 to {depth - 1} along axis {axis}",
            "leave them out",
            Path(folder),
        )
    parts = {name: take(f"{folder}/{name}", expected, axis, indices) for name, expected in facts["files"].items()}
    plane = [n for a, n in enumerate(facts["geometry"]["shape"]) if a != axis]
    return _packed(parts, facts, (len(indices), *plane))


def read_patch(ref: CaseRef, start: Index, size: Index) -> Packed:
    """Read a box of a stored case as integers, axes as in the store; only the blocks that it touches are decompressed.

    Args:
        ref: A case of the store.
        start: First voxel of the box, `(i, j, k)`.
        size: Voxels along each axis, at least 1.

    Raises:
        GeometryError: The box is empty or reaches outside the case.
        InputFileError: A file is missing or damaged.
    """
    folder, facts = known_entry(ref)
    shape = facts["geometry"]["shape"]
    if any(first < 0 or n < 1 or first + n > most for first, n, most in zip(start, size, shape, strict=True)):
        raise GeometryError(
            f"a box of {size} from {start}",
            f"a box inside the grid of {tuple(shape)}",
            "pad or move the box",
            Path(folder),
        )
    parts = {name: cut(f"{folder}/{name}", expected, start, size) for name, expected in facts["files"].items()}
    return _packed(parts, facts, (size[2], *size[:2]))


def _packed(parts: Mapping[str, Part], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Packed:
    """What was read of a case; no channels where it has no images."""
    n, *plane = shape
    images = parts[IMAGES].whole() if IMAGES in parts else np.zeros((n, 0, *plane), np.int16)
    masks = parts[MASKS].whole() if MASKS in parts else None
    return assembled(facts, images, masks)
