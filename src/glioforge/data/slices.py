"""Slices of a case along one axis, and patches: held in memory, or read from the store without the rest of the case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
from jaxtyping import Bool, Float32, Int16, UInt8

from glioforge.core import CaseRef, GeometryError, Index, Modality
from glioforge.data.frames import cut, take
from glioforge.data.packed import Packed, Part
from glioforge.data.sampling import parts_of, scales_of
from glioforge.data.store import IMAGES, MASKS, assembled, known_entry

_ORDER = {0: (2, 1, 3, 0), 1: (3, 1, 2, 0), 2: (0, 1, 2, 3)}
"""Order of the stored axes `(k, c, i, j)` with the axis cut first; the others keep theirs."""


@final
@dataclass(frozen=True)
class Cut:
    """How cases are cut.

    Args:
        modalities: Contrasts, in this order; none for labels alone.
        axis: Axis cut, 0-2; x and y are the two others in their order.
        size: Size `(x, y)` to which slices are cut or padded about their centre; their own for none.
        gaps: Whether a case may lack some of the contrasts.
    """

    modalities: tuple[Modality, ...]
    axis: int
    size: tuple[int, int] | None
    gaps: bool


@final
@dataclass(frozen=True, eq=False)
class Slices:
    """Slices in memory.

    Args:
        images: Integers `(slice, channel, x, y)`.
        scales: Factor from integers to intensities, `(channel, 1, 1)`; 0 for a missing contrast.
        labels: `(slice, x, y)`.
        brain: `(slice, x, y)`.
    """

    images: Int16[np.ndarray, "n c x y"]
    scales: Float32[np.ndarray, "c 1 1"]
    labels: UInt8[np.ndarray, "n x y"]
    brain: Bool[np.ndarray, "n x y"]

    @property
    def depth(self) -> int:
        """Number of slices."""
        return len(self.labels)

    @property
    def size(self) -> tuple[int, int]:
        """Size `(x, y)` of each slice."""
        _, x, y = self.labels.shape
        return x, y

    def read(self, numbers: Sequence[int] | np.ndarray) -> "Slices":
        """Return the slices of these numbers."""
        return Slices(self.images[numbers], self.scales, self.labels[numbers], self.brain[numbers])


class Stack(Protocol):
    """Slices of a case, wherever they are."""

    @property
    def scales(self) -> Float32[np.ndarray, "c 1 1"]:
        """Factor from integers to intensities; 0 for a missing contrast."""
        ...

    @property
    def depth(self) -> int:
        """Number of slices."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Size `(x, y)` of each slice."""
        ...

    def read(self, numbers: Sequence[int] | np.ndarray) -> Slices:
        """Return the slices of these numbers."""
        ...


@final
@dataclass(frozen=True, eq=False)
class StoredSlices:
    """Slices of a case of the store, read when they are asked for.

    Args:
        ref: The case.
        cut: How it is cut.
        scales: As in `Slices`.
        depth: Number of slices.
        size: Size `(x, y)` of each slice.
    """

    ref: CaseRef
    cut: Cut
    scales: Float32[np.ndarray, "c 1 1"]
    depth: int
    size: tuple[int, int]

    @classmethod
    def of(cls, ref: CaseRef, cut: Cut, slices: Slices) -> "StoredSlices":
        """Return the same slices without their voxels."""
        return cls(ref, cut, slices.scales, slices.depth, slices.size)

    def read(self, numbers: Sequence[int] | np.ndarray) -> Slices:
        """Return the slices of these numbers.

        Raises:
            InputFileError: A file is missing or damaged.
        """
        packed = read_slices(self.ref, self.cut.axis, [int(number) for number in numbers])
        return _fitted_slices(packed, self.cut, self.ref.case_id, order=_ORDER[2])


def slices_of(packed: Packed, cut: Cut, case_id: str) -> Slices:
    """Cut a whole case.

    Args:
        packed: The case.
        cut: How.
        case_id: For messages.

    Raises:
        CohortError: The case lacks a contrast that it needs, or labels.
    """
    return _fitted_slices(packed, cut, case_id, order=_ORDER[cut.axis])


def _fitted_slices(packed: Packed, cut: Cut, case_id: str, *, order: tuple[int, ...]) -> Slices:
    """Slices of the size asked for, from arrays whose axes are put into this order."""
    channels, labels, brain = parts_of(packed, cut.modalities, case_id, gaps=cut.gaps)
    stacked = np.concatenate([labels[:, None], brain[:, None].astype(np.uint8)], axis=1)
    images = _fitted(packed.images[:, channels].transpose(order), cut.size)
    masks = _fitted(stacked.transpose(order), cut.size)
    scales = scales_of(packed, channels)[:, None, None]
    return Slices(images, scales, np.ascontiguousarray(masks[:, 0]), masks[:, 1].astype(bool))


def _fitted(array: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Cut or pad the last two axes about place n // 2, so that a cut undoes a padding."""
    if size is None:
        return np.ascontiguousarray(array)
    fitted = np.zeros((*array.shape[:2], *size), dtype=array.dtype)
    source, target = [], []
    for have, want in zip(array.shape[2:], size, strict=True):
        shift = have // 2 - want // 2
        source.append(slice(max(shift, 0), max(shift, 0) + min(have, want)))
        target.append(slice(max(-shift, 0), max(-shift, 0) + min(have, want)))
    fitted[:, :, target[0], target[1]] = array[:, :, source[0], source[1]]
    return fitted


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
