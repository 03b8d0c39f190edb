"""Let a process keep the memory that it frees, so that every training step need not ask the system for it again.

The C library of Linux (glibc) gives large blocks back at once, and each new one
comes back page by page, filled with zeros, which costs a U-Net on a CPU a good
part of its time.  Nothing that is computed depends on it.
"""

import ctypes
from functools import cache
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
