"""Compressed arrays in files: blosc2 frames whose hash is checked before they are decoded.

A frame holds the box of an array `(k, channel, i, j)` outside which it is 0, in
blocks of 16 rows of a slice, BloscLZ at level 1 without a filter, one thread:
neither slices nor patches unpack much that nobody asked for, and noise, which
does not get smaller, is copied as it is.  Small frames are kept unpacked, while
there is room.  The same array always gives the same bytes; frames without a
box, of other chunks, codecs and filters, are read as well.
"""

import hashlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np

from glioforge.core import InputFileError, bounding_box
from glioforge.data.packed import Part

REMEDY = "give the command that wrote this folder once more: it rebuilds damaged cases"
_CHUNK_SLICES = 8
_BLOCK_ROWS = 16
_BOX = "box"
KEPT_BYTES = 256 * 2**20
"""Most memory that a process gives to frames kept unpacked; what does not fit stays packed."""
SMALL_BYTES = 16 * 2**20
"""Largest frame that is kept unpacked, at its first read."""


@final
@dataclass(frozen=True, eq=False)
class _Frame:
    """A file's array, packed or not, and where its box lies, as `(k, i, j)`."""

    array: Any
    first: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def grid(self) -> tuple[int, int, int]:
        """Shape without channels."""
        return self.shape[0], self.shape[2], self.shape[3]


def encode(array: np.ndarray) -> bytes:
    """Compress an array `(k, channel, i, j)`; none of its sides may be 0."""
    import blosc2

    first, last = _box_of(array)
    k, i, j = (slice(a, b) for a, b in zip(first, last, strict=True))
    boxed = np.ascontiguousarray(array[k, :, i, j])
    compressed = blosc2.asarray(
        boxed,
        chunks=(min(_CHUNK_SLICES, boxed.shape[0]), *boxed.shape[1:]),
        blocks=(1, boxed.shape[1], min(_BLOCK_ROWS, boxed.shape[2]), boxed.shape[3]),
        cparams=blosc2.CParams(
            codec=blosc2.Codec.BLOSCLZ,
            clevel=1,
            nthreads=1,
            typesize=array.itemsize,
            # Shuffling bytes helps stronger codecs; noise does not compress either way, and reading would take longer.
            filters=[blosc2.Filter.NOFILTER],
            filters_meta=[0],
        ),
        meta={_BOX: {"first": first, "shape": list(array.shape)}},
    )
    return bytes(compressed.to_cframe())


def decode(path: Path, expected: str) -> np.ndarray:
    """Read the whole array of a file whose hash is `expected`.

    Raises:
        InputFileError: The file is missing, unreadable or has another hash.
    """
    import blosc2

    frame = _framed(blosc2.ndarray_from_cframe(checked_bytes(path, expected)), path)
    return _part(frame, (0, 0, 0), frame.grid).whole()


def take(path: str | Path, expected: str, axis: int, indices: Sequence[int]) -> Part:
    """Read single slices as `(n, channel, a, b)` through a memory map.

    The file's hash is checked when a process first reads it, and again after it changed.

    Args:
        path: A file that `encode` made.
        expected: Its hash.
        axis: 2 cuts along k and reads only what is asked for; 0 (i) reads blocks of 16 rows, 1 (j) the whole file.
        indices: Slice numbers; none give an array of length 0.

    Raises:
        InputFileError: The file is missing, unreadable or has another hash.
    """
    frame = _frame(path, expected)
    depth, high, wide = frame.grid
    # One slice is what training asks for most; it is given as a part, without filling the air around it.
    if axis == 2 and len(indices) == 1:
        return _part(frame, (int(indices[0]), 0, 0), (1, high, wide))
    if axis == 2:
        parts = [_part(frame, (int(k), 0, 0), (1, high, wide)).whole() for k in indices]
    elif axis == 0:
        rows = [_part(frame, (0, int(i), 0), (depth, 1, wide)).whole() for i in indices]
        parts = [row.transpose(2, 1, 3, 0) for row in rows]
    else:
        whole = _part(frame, (0, 0, 0), frame.grid).whole().take(np.asarray(indices, dtype=np.int64), axis=3)
        parts = [whole.transpose(3, 1, 2, 0)]
    plane = {0: (wide, depth), 1: (high, depth), 2: (high, wide)}[axis]
    taken = np.concatenate([np.zeros((0, frame.array.shape[1], *plane), frame.array.dtype), *parts])
    return Part(taken, (0, 0, 0), taken.shape, taken.dtype)


def cut(path: str | Path, expected: str, start: tuple[int, int, int], size: tuple[int, int, int]) -> Part:
    """Read a box as `(k, channel, i, j)` through a memory map.

    Only the blocks that it touches are decompressed.

    The file's hash is checked when a process first reads it, and again after it changed.

    Args:
        path: A file that `encode` made.
        expected: Its hash.
        start: First voxel of the box, `(i, j, k)`.
        size: Voxels along each axis; the box must lie inside.

    Raises:
        InputFileError: The file is missing, unreadable or has another hash.
    """
    return _part(_frame(path, expected), (start[2], start[0], start[1]), (size[2], size[0], size[1]))


def checked_bytes(path: Path, expected: str) -> bytes:
    """Read a file's bytes and refuse them when their hash is not `expected`.

    Raises:
        InputFileError: The file is missing, unreadable or has another hash.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"cannot be read ({error})", "a file of a store", REMEDY, path) from error
    if hash_of(data) != expected:
        raise InputFileError(
            f"has other contents than were written ({len(data)} bytes)", "an undamaged file of a store", REMEDY, path
        )
    return data


def hash_of(data: bytes) -> str:
    """Hash by which a store recognises contents."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def modified(path: str | Path) -> int:
    """Time of the last change in nanoseconds; 0 for a file that is missing or out of reach."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - a path of text is as good, and quicker
    except OSError:
        return 0


def _box_of(array: np.ndarray) -> tuple[list[int], list[int]]:
    """First voxel `(k, i, j)` of the box outside which an array is 0, and the one after its last; never empty."""
    box = bounding_box(np.asarray(array.any(axis=1))) or (slice(0, 1),) * 3
    return [side.start for side in box], [side.stop for side in box]


def _framed(array: Any, path: Path) -> _Frame:  # noqa: ANN401 - blosc2 has no types
    """The array with its box; one without is its own.

    Raises:
        InputFileError: The box lies outside the shape.
    """
    meta = array.schunk.meta
    if _BOX not in meta:
        return _Frame(array, (0, 0, 0), tuple(array.shape))
    first, shape = tuple(meta[_BOX]["first"]), tuple(meta[_BOX]["shape"])
    k, c, i, j = array.shape
    inside = all(a >= 0 and a + n <= most for a, n, most in zip(first, (k, i, j), (shape[0], *shape[2:]), strict=True))
    if not inside or c != shape[1]:
        raise InputFileError(f"a box of {array.shape} at {first} in {shape}", "a box inside its array", REMEDY, path)
    return _Frame(array, first, shape)


def _part(frame: _Frame, start: tuple[int, int, int], size: tuple[int, int, int]) -> Part:
    """A box of a frame's array, `(k, i, j)`; only what its own box shares with it is unpacked."""
    array = frame.array
    (k, i, j), (deep, high, wide), (at_k, at_i, at_j) = start, size, frame.first
    own_deep, channels, own_high, own_wide = array.shape
    shape, kind = (deep, channels, high, wide), array.dtype
    low_k, low_i, low_j = max(k, at_k), max(i, at_i), max(j, at_j)
    end_k, end_i, end_j = min(k + deep, at_k + own_deep), min(i + high, at_i + own_high), min(j + wide, at_j + own_wide)
    if end_k <= low_k or end_i <= low_i or end_j <= low_j:
        return Part(None, (0, 0, 0), shape, kind)
    box = slice(low_k - at_k, end_k - at_k), slice(low_i - at_i, end_i - at_i), slice(low_j - at_j, end_j - at_j)
    return Part(_unpacked(array, *box), (low_k - k, low_i - i, low_j - j), shape, kind)


def _unpacked(array: Any, k: slice, i: slice, j: slice) -> np.ndarray:  # noqa: ANN401 - blosc2 has no types
    """A box of an array, packed or not; plain indexing of blosc2 takes longer than unpacking a slice."""
    if isinstance(array, np.ndarray):
        return array[k, :, i, j]
    channels = array.shape[1]
    result = np.empty((k.stop - k.start, channels, i.stop - i.start, j.stop - j.start), array.dtype)
    array.get_slice_numpy(result, ((k.start, 0, i.start, j.start), (k.stop, channels, i.stop, j.stop)))
    return result


@final
class _Kept:
    """Small frames kept unpacked; the first that fit stay until their file changes."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str | Path, str], tuple[int, _Frame]] = {}
        self._lock = threading.Lock()

    def get(self, path: str | Path, expected: str, changed: int) -> _Frame | None:
        """The unpacked frame, if it is kept and the file has not changed since."""
        kept = self._frames.get((path, expected))
        return kept[1] if kept is not None and kept[0] == changed else None

    def keep(self, path: str | Path, expected: str, changed: int, frame: _Frame) -> _Frame:
        """Keep a frame where it is small and there is room; returns what to read from."""
        with self._lock:
            # A changed file takes the place of its former self before the room is counted.
            self._frames.pop((path, expected), None)
            held = sum(known.array.nbytes for _, known in self._frames.values())
            size = int(np.prod(frame.array.shape)) * np.dtype(frame.array.dtype).itemsize
            if size > SMALL_BYTES or held + size > KEPT_BYTES:
                return frame
            unpacked = _Frame(np.asarray(frame.array[:]), frame.first, frame.shape)
            unpacked.array.setflags(write=False)
            self._frames[path, expected] = (changed, unpacked)
            return unpacked


_KEPT = _Kept()


def _frame(path: str | Path, expected: str) -> _Frame:
    """What slices are cut from: the memory map of a file, or the frame unpacked if it is kept."""
    changed = modified(path)
    kept = _KEPT.get(path, expected, changed)
    return kept if kept is not None else _opened(path, expected, changed, threading.get_ident())


@lru_cache(maxsize=128)
def _opened(path: str | Path, expected: str, modified: int, thread: int) -> _Frame:  # noqa: ARG001 - a thread opens its own
    """A file whose hash was checked; opened once for each time it was changed."""
    import blosc2

    _check_once(path, expected, modified)
    opened = blosc2.open(str(path), mode="r", mmap_mode="r", dparams=blosc2.DParams(nthreads=1))
    return _KEPT.keep(path, expected, modified, _framed(opened, Path(path)))


@lru_cache(maxsize=4096)
def _check_once(path: str | Path, expected: str, modified: int) -> None:  # noqa: ARG001 - the time is part of the cache's key
    """Check a file's hash once for each time it was changed."""
    checked_bytes(Path(path), expected)
