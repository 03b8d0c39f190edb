"""Checkpoints: every tensor of a training in safetensors, the rest in JSON, each with a hash.

Conventions
-----------
file        `step-00000100.safetensors` first, then `step-00000100.json` with its hash:
            a checkpoint exists once its JSON does
kept        the newest two; a damaged one is passed over in favour of the one before
names       `network/<name>/...`, `optimizer/<name>/<index>/<key>`, `best/...`
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import nn
from torch.optim import Optimizer

from glioforge.core import InputFileError, OutputError, Progress
from glioforge.io import read_regular_file, write_atomically, write_json
from glioforge.training.weights import MAX_BYTES, below, decode, digest, encode

Tensors = dict[str, torch.Tensor]

FORMAT = 1
"""Format of checkpoints; rises when older ones cannot be read."""
KEPT = 2
_MAX_JSON_BYTES = 2**28


@final
@dataclass(frozen=True)
class Snapshot:
    """A training at one step.

    Args:
        tensors: Every tensor by its name.
        values: Everything else, plain JSON.
    """

    tensors: Mapping[str, torch.Tensor]
    values: Mapping[str, Any]


def capture(networks: nn.ModuleDict, optimizers: Mapping[str, Optimizer]) -> Snapshot:
    """Copy the state of networks and optimisers."""
    tensors: Tensors = {}
    values: dict[str, Any] = {}
    for name, network in networks.items():
        tensors |= {f"network/{name}/{key}": value for key, value in network.state_dict().items()}
    for name, optimizer in optimizers.items():
        state = optimizer.state_dict()
        plain: dict[str, dict[str, Any]] = {}
        for index, slots in state["state"].items():
            for key, value in slots.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"optimizer/{name}/{index}/{key}"] = value
                else:
                    plain.setdefault(str(index), {})[key] = value
        values[name] = {"groups": state["param_groups"], "plain": plain}
    return Snapshot({key: value.detach().cpu().clone() for key, value in tensors.items()}, {"optimizers": values})


def restore(snapshot: Snapshot, networks: nn.ModuleDict, optimizers: Mapping[str, Optimizer]) -> None:
    """Put captured state back in place."""
    for name, network in networks.items():
        network.load_state_dict(below(snapshot.tensors, f"network/{name}/"))
    for name, optimizer in optimizers.items():
        values = snapshot.values["optimizers"][name]
        state: dict[int, dict[str, Any]] = {int(i): dict(slots) for i, slots in values["plain"].items()}
        for key, value in below(snapshot.tensors, f"optimizer/{name}/").items():
            index, slot = key.split("/", 1)
            state.setdefault(int(index), {})[slot] = value.clone()
        optimizer.load_state_dict({"state": state, "param_groups": json.loads(json.dumps(values["groups"]))})


@final
class Checkpoints:
    """The checkpoints of one training in one folder.

    Args:
        folder: Made when the first checkpoint is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, snapshot: Snapshot) -> None:
        """Write a checkpoint, then drop all but the newest two.

        Raises:
            OutputError: The disk is full or cannot be written; earlier checkpoints stay.
        """
        data = encode(snapshot.tensors)
        name = f"step-{step:08d}"
        write_atomically(self.folder / f"{name}.safetensors", data)
        values = {"format": FORMAT, "step": step, "tensors": digest(data), "values": dict(snapshot.values)}
        write_json(self.folder / f"{name}.json", {**values, "self": _digest_of(values)})
        self._drop(self._steps()[:-KEPT])

    def latest(self, progress: Progress) -> Snapshot | None:
        """Return the newest whole checkpoint, or none; each damaged one is named in a line.

        Args:
            progress: Where the line is printed.

        Raises:
            OutputError: The newest whole checkpoint has the format of another release.
        """
        for step in reversed(self._steps()):
            try:
                return self._read(step)
            except InputFileError as error:
                progress.say(f"checkpoint of step {step} is damaged ({error.found}); going back to the one before")
        return None

    def clear(self) -> None:
        """Remove all checkpoints."""
        self._drop(self._steps())
        for stray in self.folder.glob("step-*"):
            stray.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _steps(self) -> list[int]:
        names = [path.stem.removeprefix("step-") for path in self.folder.glob("step-*.json")]
        return sorted(int(name) for name in names if name.isdigit())

    def _drop(self, steps: list[int]) -> None:
        for step in steps:
            for ending in ("json", "safetensors"):
                (self.folder / f"step-{step:08d}.{ending}").unlink(missing_ok=True)

    def _read(self, step: int) -> Snapshot:
        path = self.folder / f"step-{step:08d}.json"
        try:
            values = json.loads(read_regular_file(path, _MAX_JSON_BYTES))
            stated = values.pop("self")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputFileError("its JSON cannot be read", where=path) from error
        if stated != _digest_of(values):
            raise InputFileError("its JSON was changed", where=path)
        if values.get("format", FORMAT) != FORMAT:
            raise OutputError(
                f"a checkpoint of format {values['format']}",
                f"format {FORMAT}",
                "continue with the release of Glioforge that wrote it, or delete the folder and train again",
                path,
            )
        tensors_path = path.with_suffix(".safetensors")
        data = read_regular_file(tensors_path, MAX_BYTES)
        if digest(data) != values["tensors"]:
            raise InputFileError("its tensors were changed or cut short", where=tensors_path)
        return Snapshot(decode(data, tensors_path), values["values"])


def _digest_of(values: Mapping[str, Any]) -> str:
    """Hash of plain values in one canonical JSON form."""
    return digest(json.dumps(values, sort_keys=True).encode())
