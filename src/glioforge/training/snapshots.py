"""Networks of the last validations, kept with the final weights for ensembles.

Conventions
-----------
file        `snapshots/step_00000400.safetensors`, the inference network's state
listed      in the training's `done.json` with their hashes; a file that is not listed is not loaded
"""

from pathlib import Path
from typing import Any, final

from torch import nn

from glioforge.core import InputFileError
from glioforge.io import Step, read_regular_file
from glioforge.training.state import Tensors
from glioforge.training.weights import MAX_WEIGHTS, decode, digest, write_weights

FOLDER = "snapshots"


@final
class Snapshots:
    """The snapshots of one training.

    Args:
        folder: The training's own folder.
        kept: How many are kept; 0 writes none.
    """

    def __init__(self, folder: Path, kept: int) -> None:
        self._folder, self._kept = folder / FOLDER, kept

    def add(self, step: int, network: nn.Module) -> None:
        """Write the network of a validation and drop those that are too old.

        Raises:
            OutputError: The disk is full or cannot be written.
        """
        if not self._kept:
            return
        write_weights(_path(self._folder, step), network.state_dict())
        for old in [number for number in _steps(self._folder) if number <= step][: -self._kept]:
            _path(self._folder, old).unlink(missing_ok=True)

    def listed(self, last: int) -> list[dict[str, Any]]:
        """Step and hash of each, oldest first; those beyond the last step, which was gone back from, are removed."""
        for stray in [step for step in _steps(self._folder) if step > last]:
            _path(self._folder, stray).unlink(missing_ok=True)
        return [
            {"step": step, "weights": digest(read_regular_file(_path(self._folder, step), MAX_WEIGHTS))}
            for step in _steps(self._folder)
        ]


def load_snapshots(folder: Path) -> dict[int, Tensors]:
    """States of the inference network by step, oldest first; empty when the training kept none.

    Args:
        folder: Folder of a finished training.

    Raises:
        InputFileError: The training is not finished, or a snapshot is missing, damaged or changed.
    """
    try:
        entries = [(int(e["step"]), str(e["weights"])) for e in Step.facts_of(folder).get("snapshots", [])]
    except (KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"a list of snapshots that cannot be read ({error!r})", "steps and hashes", "train it again", folder
        ) from error
    return {step: _read(_path(folder / FOLDER, step), expected) for step, expected in entries}


def _read(path: Path, expected: str) -> Tensors:
    """Tensors of one snapshot, whose hash must be the one listed."""
    data = read_regular_file(path, MAX_WEIGHTS)
    if digest(data) != expected:
        raise InputFileError(
            f"a snapshot with hash {digest(data)}",
            f"hash {expected}, as done.json says",
            "the file was changed: copy or train it again",
            path,
        )
    return decode(data, path)


def _path(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}.safetensors"


def _steps(folder: Path) -> list[int]:
    """Steps that there are snapshots of, in order."""
    names = [path.stem.removeprefix("step_") for path in folder.glob("step_*.safetensors")]
    return sorted(int(name) for name in names if name.isdigit())
