"""Precision and memory of a device: bfloat16 where it has instructions for it, and memory that a process keeps.

Precision is decided from capability flags of torch and oneDNN, never from a timing, so that what is computed does not
depend on how busy a machine is.  Never float16.

A process keeps the memory that it frees, for its next training step.  The C library of Linux (glibc) gives large blocks
back at once, and each new one comes back page by page, filled with zeros, which costs a U-Net on a CPU a good part of
its time.  Nothing that is computed depends on it.  A process may use the memory of the machine, or of its container
where that has less.

Conventions
-----------
bf16-mixed   autocast to bfloat16; weights, losses and optimiser states stay float32
32-true      float32 throughout
emulated     bfloat16 on a device without instructions for it: correct, and many times slower than float32
"""

import ctypes
import os
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, final

Precision = Literal["bf16-mixed", "32-true"]
"""A precision to compute in."""
PRECISION_WORDS: Final[Mapping[str, str]] = {"bf16-mixed": "bfloat16", "32-true": "float32"}
"""How a precision is called on screen and in reports."""

_X86_FLAGS: Final = ("avx512_bf16", "amx_bf16")
_ONEDNN_CAPS: Final = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
_CAPS_WITHOUT_BF16: Final = frozenset(
    {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
)
_ATEN_WITHOUT_BF16: Final = frozenset({"DEFAULT", "NO AVX", "AVX", "AVX2"})


@final
class EmulatedPrecisionWarning(UserWarning):
    """Bfloat16 was asked for on a device that emulates it."""


def computes_bfloat16(device: str) -> bool:
    """Whether a type of device (`cpu`, `cuda`, `mps`) multiplies in bfloat16 by itself; false where that is not known.

    On x86 that takes AVX-512 BF16 or AMX-BF16: plain AVX-512, to which oneDNN's own check says yes, emulates it.  A
    limit on the instructions that torch or oneDNN may use (`ATEN_CPU_CAPABILITY`, `ONEDNN_MAX_CPU_ISA`) counts.
    """
    import torch

    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and _cpu_computes_bfloat16()


def native_precision(device: str) -> Precision:
    """`bf16-mixed` where the device computes bfloat16 by itself, else `32-true`."""
    return "bf16-mixed" if computes_bfloat16(device) else "32-true"


def warn_if_emulated(precision: Precision, device: str) -> None:
    """Warn where bfloat16 is asked for on a device that emulates it; Python shows the warning once a process."""
    if precision == "bf16-mixed" and not computes_bfloat16(device):
        warnings.warn(
            f"bf16-mixed on {device}: this device emulates bfloat16, many times slower than float32; "
            "leave precision at auto, or ask for 32-true",
            EmulatedPrecisionWarning,
            stacklevel=1,
        )


def _cpu_computes_bfloat16() -> bool:
    """Flags of the processor, as far as oneDNN and torch may use them."""
    import torch

    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not available or not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # noqa: SLF001 - oneDNN's answer has no public name
        return False
    flags: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if flags.get("architecture") != "x86_64":
        return bool(flags.get("bf16"))
    limited = torch.backends.cpu.get_cpu_capability() in _ATEN_WITHOUT_BF16 or _onednn_is_limited()
    return not limited and any(flags.get(name) for name in _X86_FLAGS)


def _onednn_is_limited() -> bool:
    """Return whether oneDNN is set to not use the instructions for bfloat16."""
    return any(os.environ.get(name, "").upper() in _CAPS_WITHOUT_BF16 for name in _ONEDNN_CAPS)


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
