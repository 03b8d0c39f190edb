"""Choose among the networks of a training by the sliced Wasserstein distance of what they make to held-out images.

Source: Foroozandeh & Eklund 2020 measure the distance of Karras et al. 2018 (arXiv:1710.10196) at every snapshot and
keep the one with the lowest mean over levels.  `PatchScore` is a `validate` of the loop: the best weights are kept,
training ends on a plateau (`patience`), and the curve stands in the history, as for every other score.
`snapshot_scores` measures the snapshots that a finished training kept.

Difference from the paper: the images are those of validation subjects, not of the training set, whose distance falls
when a network copies them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from torch import nn

from glioforge.metrics import Images, sliced_wasserstein
from glioforge.training.snapshots import load_snapshots
from glioforge.training.weights import fill

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
