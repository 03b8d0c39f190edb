"""Weights of one network in a safetensors file: never a pickle, checked before use."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import nn

from glioforge.core.errors import InputFileError
from glioforge.io.regular_file import read_regular_file
from glioforge.io.run_folder import write_atomically

MAX_BYTES = 2**36


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
        raise InputFileError(
            f"not a whole safetensors file ({error})", "weights that Glioforge wrote", "copy or train it again", where
        ) from error


def digest(data: bytes) -> str:
    """Hash of a file's bytes, 32 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor]) -> str:
    """Write a network's state atomically and return the hash of the file."""
    data = encode(tensors)
    write_atomically(path, data)
    return digest(data)


def read_weights(path: Path, network: nn.Module, expected_hash: str | None = None) -> str:
    """Load weights into a network and return the hash of the file.

    Args:
        path: File that `write_weights` made.
        network: Network of the same architecture; filled in place.
        expected_hash: Hash that the file must have, if known.

    Raises:
        InputFileError: The file is missing, damaged, of another network, or holds NaN or infinity.
    """
    data = read_regular_file(path, MAX_BYTES)
    found = digest(data)
    if expected_hash is not None and found != expected_hash:
        raise InputFileError(
            f"weights with hash {found}", f"hash {expected_hash}", "the file was changed: copy or train it again", path
        )
    tensors = decode(data, path)
    require_fit(tensors, network, path)
    network.load_state_dict(tensors)
    return found


def require_fit(tensors: Mapping[str, torch.Tensor], network: nn.Module, where: Path) -> None:
    """Refuse tensors whose names, shapes, types or values cannot be this network's state.

    Raises:
        InputFileError: Names the first tensors that do not fit.
    """
    state = network.state_dict()
    wrong = sorted(state.keys() ^ tensors.keys())
    wrong += [
        name
        for name in sorted(state.keys() & tensors.keys())
        if tensors[name].shape != state[name].shape
        or tensors[name].dtype != state[name].dtype
        or not bool(torch.isfinite(tensors[name]).all())
    ]
    if wrong:
        raise InputFileError(
            f"weights that do not fit the network at {', '.join(wrong[:3])} ({len(wrong)} tensors)",
            "the names, shapes and finite values of the network that the spec describes",
            "take spec and weights from one training",
            where,
        )
