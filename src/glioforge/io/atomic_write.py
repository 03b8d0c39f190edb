"""Write a file so that it is there whole or not at all, and read one whole.

The contents go to a temporary file next to the target, are forced to disk and
renamed: a reader sees the old file or the new one, never a half, even when the
process is killed or the disk is full.

Only regular files are read.  A folder of somebody's data may hold a pipe, a device
or a folder that is called `t1.nii.gz`; opening one must neither block nor fill the
memory.
"""

import errno
import json
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from glioforge.core import InputFileError, OutputError

_LOG = logging.getLogger(__name__)
_MAX_JSON_BYTES = 2**28
_PARTIAL = ".partial"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    The temporary file is forced to disk before it is renamed; it is removed
    if the block fails or is interrupted.  Parent folders are made.

    Raises:
        OutputError: The disk is full, or the place cannot be written.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}{_PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _force_to_disk(partial)
        partial.replace(path)
        # Without this the rename itself may be lost in a power failure, though the contents are not.
        _force_to_disk(path.parent)
        _LOG.debug("wrote %s", path)
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def remove_partials(folder: Path) -> None:
    """Remove what a killed writer left half written in a folder; only for one who holds its lock."""
    # The name does not identify the writer, so the caller must hold the lock.
    for partial in folder.glob(f".*{_PARTIAL}"):
        with suppress(OSError):
            partial.unlink()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        OutputError: The disk is full, or the place cannot be written.
    """
    with replacing(path) as partial:
        partial.write_bytes(data)


def write_json(path: Path, values: Any, *, in_order: bool = False) -> None:  # noqa: ANN401 - any plain JSON values
    """Write plain values as JSON, atomically; same values, same bytes.

    Args:
        path: The file.
        values: Plain values.
        in_order: Keep the order of mappings, where it means something, instead of sorting their keys.

    Raises:
        OutputError: The values are not JSON (NaN is not), or the place cannot be written.
    """
    try:
        text = json.dumps(values, indent=1, sort_keys=not in_order, ensure_ascii=False, allow_nan=False)
        data = (text + "\n").encode()
    except (TypeError, ValueError) as error:
        raise OutputError(
            f"values that are not JSON ({error})", "text, numbers, lists and mappings", where=path
        ) from error
    write_atomically(path, data)


def read_json(path: Path) -> Any:  # noqa: ANN401 - any plain JSON values
    """Read a JSON file.

    Raises:
        InputFileError: The file is missing, too large or not JSON.
    """
    try:
        return json.loads(read_regular_file(path, _MAX_JSON_BYTES).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"not JSON ({error})", "a JSON file in UTF-8", "delete it and run again", path) from error


def _force_to_disk(path: Path) -> None:
    """Flush a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def output_error(error: OSError, path: Path) -> OutputError:
    """The typed error for a failed write of `path`, with what to do about it."""
    remedies = {
        errno.ENOSPC: "free space on the disk and run the same command again; it goes on where it stopped",
        errno.EDQUOT: "free space of your quota and run the same command again; it goes on where it stopped",
        errno.EFBIG: "raise the limit on file sizes (ulimit -f) and run the same command again",
        errno.ENAMETOOLONG: "choose shorter names",
    }
    remedy = remedies.get(error.errno or 0, "choose a folder that you may write to (--out)")
    return OutputError(f"cannot write ({error.strerror or error})", "a writable place", remedy, path)


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
