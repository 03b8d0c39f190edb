"""Compressed arrays in files: blosc2 frames whose hash is checked before they are decoded.

A frame holds `(k, channel, i, j)` in blocks of 48 rows of one slice, LZ4 at
level 5 without a filter, one thread, so that neither slices nor patches of
them unpack much that nobody asked for.  A frame that is read again and again
is kept unpacked, while there is room, and is then as quick as a memory map.
The same array always gives the same bytes; frames of other blocks and filters
are read as well.
"""

import hashlib
import threading
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np

from glioforge.core.errors import InputFileError

REMEDY = "give the command that wrote this folder once more: it rebuilds damaged cases"
_CHUNK_SLICES = 16
_BLOCK_ROWS = 48
KEPT_BYTES = 256 * 2**20
"""Most memory that a process gives to frames kept unpacked; what does not fit stays packed."""
READS_BEFORE_KEPT = 64
"""Reads after which unpacking the whole frame has cost no more than the reads did."""


def encode(array: np.ndarray) -> bytes:
    """Compress an array `(k, channel, i, j)`; none of its sides may be 0."""
    import blosc2

    slices = min(_CHUNK_SLICES, array.shape[0])
    compressed = blosc2.asarray(
        np.ascontiguousarray(array),
        chunks=(slices, *array.shape[1:]),
        blocks=(1, array.shape[1], min(_BLOCK_ROWS, array.shape[2]), array.shape[3]),
        cparams=blosc2.CParams(
            codec=blosc2.Codec.LZ4,
            clevel=5,
            nthreads=1,
            typesize=array.itemsize,
            filters=[blosc2.Filter.NOFILTER],
            filters_meta=[0],
        ),
    )
    return bytes(compressed.to_cframe())


def decode(path: Path, expected: str) -> np.ndarray:
    """Read the whole array of a file whose hash is `expected`.

    Raises:
        InputFileError: The file is missing, unreadable or has another hash.
    """
    import blosc2

    return np.asarray(blosc2.ndarray_from_cframe(checked_bytes(path, expected))[:])


def take(path: Path, expected: str, axis: int, indices: np.ndarray) -> np.ndarray:
    """Read single slices as `(n, channel, a, b)` through a memory map; the result may be read-only.

    The file's hash is checked when a process first reads it, and again after it changed.

    Args:
        path: A file that `encode` made.
        expected: Its hash.
        axis: 2 cuts along k and reads only what is asked for; 0 (i) and 1 (j) read the whole file.
        indices: Slice numbers; none give an array of length 0.

    Raises:
        InputFileError: The file is missing, unreadable or has another hash.
    """
    array = _frame(path, expected)
    if axis == 2:
        slices = [np.asarray(array[int(k) : int(k) + 1]) for k in indices]
        if len(slices) == 1:
            return slices[0]
        return np.concatenate(slices) if slices else np.zeros((0, *array.shape[1:]), dtype=array.dtype)
    whole = np.asarray(array[:]).take(indices, axis=axis + 2)
    return np.ascontiguousarray(whole.transpose((2, 1, 3, 0) if axis == 0 else (3, 1, 2, 0)))


def cut(path: Path, expected: str, start: tuple[int, int, int], size: tuple[int, int, int]) -> np.ndarray:
    """Read a box as `(k, channel, i, j)` through a memory map; the result may be read-only.

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
    array = _frame(path, expected)
    i, j, k = (slice(first, first + count) for first, count in zip(start, size, strict=True))
    return np.asarray(array[k, :, i, j])


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


def modified(path: Path) -> int:
    """Time of the last change in nanoseconds; 0 for a missing file."""
    return path.stat().st_mtime_ns if path.exists() else 0


@final
class _Kept:
    """Frames kept unpacked, and how often each was read; the first that fit stay until the file changes."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[Path, str], tuple[int, np.ndarray]] = {}
        self._reads: Counter[tuple[Path, str, int]] = Counter()
        self._lock = threading.Lock()

    def get(self, path: Path, expected: str, changed: int) -> np.ndarray | None:
        """The unpacked frame, if it is kept and the file has not changed since."""
        kept = self._arrays.get((path, expected))
        return kept[1] if kept is not None and kept[0] == changed else None

    def seen(self, path: Path, expected: str, changed: int, frame: Any) -> None:  # noqa: ANN401 - blosc2 has no types
        """Count a read, and keep the frame where it has been read often and there is room."""
        key = (path, expected, changed)
        with self._lock:
            self._reads[key] += 1
            if self._reads[key] < READS_BEFORE_KEPT:
                return
            self._arrays.pop((path, expected), None)
            held = sum(array.nbytes for _, array in self._arrays.values())
            size = int(np.prod(frame.shape)) * np.dtype(frame.dtype).itemsize
            if held + size <= KEPT_BYTES:
                whole = np.asarray(frame[:])
                whole.setflags(write=False)
                self._arrays[path, expected] = (changed, whole)


_KEPT = _Kept()


def _frame(path: Path, expected: str) -> Any:  # noqa: ANN401 - blosc2 has no types
    """What slices are cut from: the memory map of a file, or the frame unpacked if it is kept."""
    changed = modified(path)
    kept = _KEPT.get(path, expected, changed)
    if kept is not None:
        return kept
    frame = _opened(path, expected, changed, threading.get_ident())
    _KEPT.seen(path, expected, changed, frame)
    return frame


@lru_cache(maxsize=128)
def _opened(path: Path, expected: str, modified: int, thread: int) -> Any:  # noqa: ANN401, ARG001 - blosc2 has no types; a thread opens its own
    """Memory map of a file whose hash was checked; opened once for each time it was changed."""
    import blosc2

    _check_once(path, expected, modified)
    return blosc2.open(str(path), mode="r", mmap_mode="r", dparams=blosc2.DParams(nthreads=1))


@lru_cache(maxsize=4096)
def _check_once(path: Path, expected: str, modified: int) -> None:  # noqa: ARG001 - the time is part of the cache's key
    """Check a file's hash once for each time it was changed."""
    checked_bytes(path, expected)
