"""How much memory a process may use, and that it keeps what it frees for its next training step.

The C library of Linux (glibc) gives large blocks back at once, and each new one
comes back page by page, filled with zeros, which costs a U-Net on a CPU a good
part of its time.  Nothing that is computed depends on it.
"""

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Final

_TRIM, _TOP_PAD, _MMAP = -1, -2, -3
_SETTINGS: Final = {_MMAP: 2**25, _TRIM: 2**30, _TOP_PAD: 2**26}
"""Blocks up to 32 MiB, the most that glibc allows, come from memory that is kept, of which 1 GiB may lie idle."""


@cache
def keep_freed_memory() -> bool:
    """Ask the C library to keep what is freed; whether it can, once a process.

    Where the C library knows no such setting, as on macOS or with musl, nothing happens.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(set_option(option, value) == 1 for option, value in _SETTINGS.items())


_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says how much memory a container has."""


@cache
def usable_memory() -> int:
    """Return the bytes of memory of the machine, or of the container where that has less."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *filter(None, map(_limit, _LIMITS))])


def _limit(path: Path) -> int | None:
    """Bytes that a file allows; none where there is no such file or no limit."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
