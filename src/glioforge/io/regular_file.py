"""Read one regular file whole, and nothing else.

A folder of somebody's data may hold a pipe, a device or a folder that is
called `t1.nii.gz`; opening one must neither block nor fill the memory.
"""

import os
import stat
from pathlib import Path

from glioforge.core import InputFileError

MAX_FILE_BYTES = 2**30
"""Largest file that is read whole, 1 GiB."""


def read_regular_file(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Bytes of a regular file; `b""` for an empty one.

    Args:
        path: A file, or a link to one.
        limit: Largest size in bytes.

    Raises:
        InputFileError: The file is missing, is not a regular file, is larger
            than the limit, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            _require_regular(status, path, limit)
            return _read_all(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise _unreadable(error, path) from error


def regular_size(path: Path, limit: int = MAX_FILE_BYTES) -> int:
    """Size of a regular file in bytes, for those who read it by other means.

    Raises:
        InputFileError: As `read_regular_file`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            _require_regular(status, path, limit)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise _unreadable(error, path) from error
    return status.st_size


def _unreadable(error: OSError | ValueError, path: Path) -> InputFileError:
    """The typed error for a file that cannot be opened or read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputFileError(
        f"cannot read the file ({reason})", "a readable file", "check the path and its permissions", path
    )


def _require_regular(status: os.stat_result, path: Path, limit: int) -> None:
    """Refuse what is not a regular file of at most `limit` bytes."""
    if not stat.S_ISREG(status.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
        kind = kinds.get(stat.S_IFMT(status.st_mode), "a special file")
        raise InputFileError(kind, "a regular file", "remove it from the data set", path)
    if status.st_size > limit:
        raise InputFileError(
            f"a file of {status.st_size} bytes", f"at most {limit} bytes", "check that this is the right file", path
        )


def _read_all(descriptor: int, size: int) -> bytes:
    """Read exactly the bytes that the file had when it was opened; fewer if it shrank."""
    parts = []
    while size > 0:
        part = os.read(descriptor, size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
