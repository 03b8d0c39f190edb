"""Files that somebody might send instead of weights, by what is wrong with them."""

import io
import json
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from glioforge.training.model_folder import hash_of_card

ZEROS = bytes(8)


def file_of(header: Mapping[str, Any] | bytes, body: bytes = ZEROS, length: int | None = None) -> bytes:
    """A safetensors file with this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(**changes: Any) -> dict[str, Any]:
    """Two float32 numbers named `a`."""
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


class Bomb:
    """What a pickle would run."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle was run')",))


def torch_file() -> bytes:
    """A pickle as `torch.save` writes it."""
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, buffer)
    return buffer.getvalue()


NOT_WHOLE: dict[str, bytes] = {
    "empty": b"",
    "shorter than its header's length": b"\x01\x02",
    "cut short": file_of(entry(), bytes(4)),
    "too long": file_of(entry(), bytes(16)),
    "header of 4 EiB": file_of(entry(), length=2**62),
    "header of 128 MiB": file_of(b"{", length=2**27),
    "pickle": pickle.dumps(Bomb()),
    "file of torch.save": torch_file(),
    "more elements than there are numbers": file_of(entry(shape=[2**40, 2**40])),
    "4 EiB": file_of(entry(shape=[2**60])),
    "negative shape": file_of(entry(shape=[-1])),
    "offsets beyond the end": file_of(entry(data_offsets=[0, 2**50])),
    "negative offsets": file_of(entry(data_offsets=[-8, 0])),
    "offsets that go back": file_of(entry(data_offsets=[8, 0])),
    "tensors on each other": file_of({**entry(), "b": entry()["a"]}),
    "hole": file_of(entry(data_offsets=[8, 16]), bytes(16)),
    "unknown type": file_of(entry(dtype="F99")),
    "type that torch lacks": file_of(entry(dtype="F8_E8M0", shape=[8])),
    "list": file_of(b"[1, 2]"),
    "deep": file_of(b"[" * 200_000),
    "not UTF-8": file_of(b"\xff\xfe{}"),
    "numbers as notes": file_of({"__metadata__": {"a": 1}, **entry()}),
}
"""None is a whole safetensors file."""

MISFITS: dict[str, bytes] = {
    "complex numbers": file_of(entry(dtype="C64", shape=[1])),
    "half precision": file_of(entry(dtype="F16", shape=[4])),
    "whole numbers": file_of(entry(dtype="I32")),
    "other shape": file_of(entry(shape=[1, 2])),
    "empty of endless length": file_of(entry(shape=[0, 2**62], data_offsets=[0, 0]), b""),
    "path as a name": file_of({"../../etc/passwd": entry()["a"]}),
    "very many": file_of({f"t{n}": entry(shape=[0], data_offsets=[0, 0])["a"] for n in range(5_000)}, b""),
    "NaN": file_of(entry(), struct.pack("<2f", float("nan"), 1.0)),
    "infinity": file_of(entry(), struct.pack("<2f", float("inf"), 1.0)),
}
"""Whole files, but not of a network with two float32 numbers named `a`."""


def forge_card(folder: Path, **entries: object) -> None:
    """Change entries of a model's card, and its hash so that it agrees."""
    values = {**json.loads((folder / "card.json").read_text()), **entries}
    (folder / "card.json").write_text(json.dumps({**values, "card": hash_of_card(values)}))


NOT_A_CARD: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{",
    "list": b"[]",
    "number": b"7",
    "deep": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe",
    "pickle": pickle.dumps(Bomb()),
    "nothing": b"{}",
    "null": b"null",
}
"""None is a card."""
