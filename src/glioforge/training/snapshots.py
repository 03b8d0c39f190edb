"""Networks of the last validations, kept with the final weights for ensembles, or chosen by their distance to images.

The distance is the sliced Wasserstein distance of what a network makes to held-out images.  `PatchScore` is a
`validate` of the loop: the best weights are kept, training ends on a plateau (`patience`), and the curve stands in the
history, as for every other score.  `snapshot_scores` measures the snapshots that a finished training kept.

Source: Foroozandeh & Eklund 2020 measure the distance of Karras et al. 2018 (arXiv:1710.10196) at every snapshot and
keep the one with the lowest mean over levels.  Difference from the paper: the images are those of validation subjects,
not of the training set, whose distance falls when a network copies them.

Conventions
-----------
file        `snapshots/step_00000400.safetensors`, the inference network's state
listed      in the training's `done.json` with their hashes; a file that is not listed is not loaded
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from torch import nn

from glioforge.core import InputFileError
from glioforge.io import Step, read_regular_file
from glioforge.metrics import Images, sliced_wasserstein
from glioforge.training.state import Tensors
from glioforge.training.weights import MAX_WEIGHTS, digest, fill, read_tensors, write_weights

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
    return {step: read_tensors(_path(folder / FOLDER, step), expected) for step, expected in entries}


def _path(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}.safetensors"


def _steps(folder: Path) -> list[int]:
    """Steps that there are snapshots of, in order."""
    names = [path.stem.removeprefix("step_") for path in folder.glob("step_*.safetensors")]
    return sorted(int(name) for name in names if name.isdigit())


DIRECTIONS: Final = 128
"""Random directions of a score, the same in all scores; a quarter of those of a final measurement."""

Make = Callable[[nn.Module], Images]
"""Makes images of a network in evaluation mode, with the same noise each time, as many as it is compared with."""


@final
class PatchScore:
    """Minus the mean distance over levels: higher is better, and 0 is ideal.

    After a call `scalars` holds the mean, `swd`, and each level's distance, `swd_0` of the finest first; they join the
    history.

    Args:
        real: Held-out images `(image, channel, row, column)`; label maps as one channel a class.
        make: Makes as many images of the same shape.
        ready: Whether a network may be chosen yet, as once a progressive one has faded in its last level; before, it is
            neither scored nor counted by `patience`. Every network may unless given.
    """

    def __init__(self, real: Images, make: Make, ready: Callable[[nn.Module], bool] | None = None) -> None:
        self.scalars: dict[str, float] = {}
        self._real, self._make, self._ready = real, make, ready

    def __call__(self, network: nn.Module) -> float | None:
        """Score the network; none before it is ready.

        Raises:
            CohortError: It made more or fewer images than it is compared with.
        """
        self.scalars = {}
        if self._ready is not None and not self._ready(network):
            return None
        with torch.no_grad():
            made = self._make(network)
        levels = sliced_wasserstein(made.astype(np.float32, copy=False), self._real, count=DIRECTIONS)
        mean = float(np.mean(levels))
        self.scalars = {"swd": mean, **{f"swd_{level}": value for level, value in enumerate(levels)}}
        return -mean


def snapshot_scores(folder: Path, network: nn.Module, score: Callable[[nn.Module], float | None]) -> dict[int, float]:
    """Score the snapshots of a finished training by step, and load the best one, the earlier of equals.

    Args:
        folder: Folder of the training.
        network: Inference network of the same architecture; unchanged where no snapshot was kept.
        score: Higher is better; snapshots that it gives none for are left out.

    Raises:
        InputFileError: The training is not finished, or a snapshot is missing, damaged, changed, or of another network.
    """
    states, found = load_snapshots(folder), {}
    for step, state in states.items():
        fill(network, state, folder)
        value = score(network.eval())
        if value is not None:
            found[step] = value
    if found:
        fill(network, states[max(found, key=lambda step: (found[step], -step))], folder)
    return found
