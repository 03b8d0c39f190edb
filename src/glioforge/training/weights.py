"""Weights of one network in a safetensors file: never a pickle, checked before use; and outputs of a trained network.

Outputs are computed on the device, and in the precision and threads, of the accelerator's settings.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as from_bytes, save as to_bytes
from torch import nn

from glioforge.compute import AcceleratorSpec, device_of
from glioforge.core import InputFileError
from glioforge.io import read_regular_file, regular_size, write_atomically

MAX_BYTES = 2**36
"""Largest checkpoint that is read."""
MAX_WEIGHTS = 2**33
"""Largest file of one network's weights that is read."""
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def encode(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Tensors as the bytes of a safetensors file; the same tensors give the same bytes."""
    return to_bytes({name: value.detach().cpu().contiguous() for name, value in tensors.items()})


def decode(data: bytes, where: Path) -> dict[str, torch.Tensor]:
    """Inverse of `encode`.

    Raises:
        InputFileError: The bytes are not a whole safetensors file.
    """
    try:
        return dict(from_bytes(data))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _not_whole(error, where) from error


def digest(data: bytes) -> str:
    """Hash of a file's bytes, 32 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor]) -> str:
    """Write a network's state atomically and return the hash of the file."""
    data = encode(tensors)
    write_atomically(path, data)
    return digest(data)


def read_weights(path: Path, network: nn.Module, expected_hash: str | None = None, prefix: str = "") -> None:
    """Load weights into a network.

    Args:
        path: File that `write_weights` made.
        network: Network of the same architecture; filled in place.
        expected_hash: Hash that the file must have, if known: the one on the model's card.
        prefix: What the names of the network's weights start with in a file that holds other tensors too.

    Raises:
        InputFileError: The file is missing, damaged, changed, of another network, or holds NaN or infinity.
    """
    require_outline(below(read_outline(path), prefix), network, path)
    fill(network, below(read_tensors(path, expected_hash), prefix), path)


def read_tensors(path: Path, expected_hash: str | None = None) -> dict[str, torch.Tensor]:
    """Read all tensors of a file, whose hash must be the one that is expected.

    Raises:
        InputFileError: The file is missing, is no whole safetensors file, or was changed.
    """
    data = read_regular_file(path, MAX_WEIGHTS)
    if expected_hash is not None and digest(data) != expected_hash:
        raise InputFileError(
            f"weights with hash {digest(data)}",
            f"hash {expected_hash}, which was noted when they were written",
            "take the whole folder as train made it, or train again",
            path,
        )
    return decode(data, path)


def below(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Tensors whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def fill(network: nn.Module, tensors: Mapping[str, torch.Tensor], where: Path) -> None:
    """Load tensors into a network, once they are seen to fit it.

    Raises:
        InputFileError: They are those of another network, or hold NaN or infinity.
    """
    require_fit(tensors, network, where)
    network.load_state_dict(tensors)


def read_outline(path: Path) -> dict[str, torch.Tensor]:
    """Names, shapes and types of a file's tensors, as tensors without contents; only the header is read.

    Raises:
        InputFileError: The file is missing, is no regular file, or its header is not that of a whole safetensors file.
    """
    regular_size(path, MAX_WEIGHTS)
    try:
        with safe_open(path, framework="pt") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return {
                name: torch.empty(part.get_shape(), dtype=_DTYPES[part.get_dtype()], device="meta")
                for name, part in parts.items()
            }
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _not_whole(error, path) from error


def read_some(path: Path, prefix: str, limit: int) -> dict[str, torch.Tensor]:
    """Tensors whose names start with a prefix, once they are seen to be small.

    Raises:
        InputFileError: They hold more than `limit` bytes together, or as `read_outline`.
    """
    outline = {name: value for name, value in read_outline(path).items() if name.startswith(prefix)}
    size = sum(value.nbytes for value in outline.values())
    if size > limit:
        raise InputFileError(f"{size} bytes below {prefix!r}", f"at most {limit}", "copy or train it again", path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in outline}
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _not_whole(error, path) from error


def built_to_fit(build: Callable[[], nn.Module], path: Path, prefix: str = "") -> nn.Module:
    """Build a network, once one without contents is seen to fit the file: a hostile spec allocates nothing.

    Args:
        build: Builds it; called twice.
        path: File of its weights.
        prefix: What the names of its weights start with in the file.

    Raises:
        InputFileError: They do not fit, or no network can be built.
    """
    try:
        with torch.device("meta"):
            sketch = build()
    except (RuntimeError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        raise InputFileError(
            f"a spec that no network can be built from ({error})", "the spec as train wrote it", "train it again", path
        ) from error
    require_outline(below(read_outline(path), prefix), sketch, path)
    return build()


def require_outline(tensors: Mapping[str, torch.Tensor], network: nn.Module, where: Path) -> None:
    """Refuse tensors whose names, shapes or types cannot be this network's state.

    Raises:
        InputFileError: Names the first tensors that do not fit.
    """
    state = network.state_dict()
    wrong = sorted(state.keys() ^ tensors.keys())
    wrong += [
        name
        for name in sorted(state.keys() & tensors.keys())
        if tensors[name].shape != state[name].shape or tensors[name].dtype != state[name].dtype
    ]
    _refuse(wrong, where)


def require_fit(tensors: Mapping[str, torch.Tensor], network: nn.Module, where: Path) -> None:
    """Refuse tensors whose names, shapes, types or values cannot be this network's state.

    Raises:
        InputFileError: Names the first tensors that do not fit.
    """
    require_outline(tensors, network, where)
    _refuse([name for name in sorted(tensors) if not bool(torch.isfinite(tensors[name]).all())], where)


def _refuse(wrong: list[str], where: Path) -> None:
    if wrong:
        raise InputFileError(
            f"weights that do not fit the network at {', '.join(wrong[:3])} ({len(wrong)} tensors)",
            "the names, shapes and finite values of the network that the spec describes",
            "take spec and weights from one training",
            where,
        )


def _not_whole(error: Exception, where: Path) -> InputFileError:
    return InputFileError(
        f"not a whole safetensors file ({error})", "weights that Glioforge wrote", "copy or train it again", where
    )


def inferred(network: nn.Module, inputs: tuple[torch.Tensor, ...], accelerator: AcceleratorSpec) -> torch.Tensor:
    """Output of a network on the CPU, made on the device, in the precision and with the threads asked for.

    The CPU takes one thread unless a number is given.
    """
    device = device_of(accelerator)
    before = torch.get_num_threads()
    torch.set_num_threads(accelerator.threads or 1)
    try:
        with (
            torch.no_grad(),
            torch.autocast(device.type, torch.bfloat16, enabled=accelerator.precision == "bf16-mixed"),
        ):
            made: torch.Tensor = network.to(device).eval()(*(value.to(device) for value in inputs))
            # A network may return a parameter of its own, which `no_grad` leaves as it is.
            return made.detach().float().cpu()
    finally:
        torch.set_num_threads(before)
