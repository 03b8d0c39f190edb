"""Sliced Wasserstein distance of what a generator makes to held-out label maps, and its curve over a training.

Source: Karras et al. 2018, arXiv:1710.10196, section 5, on one-hot maps (`metrics.cohort.pyramid`); Foroozandeh &
Eklund choose their weights by it, and in their training it fell until shortly after the last fade and rose from there.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from glioforge.io.atomic_write import write_atomically, write_json
from glioforge.metrics.cohort.pyramid import sliced_wasserstein
from glioforge.training.budget import HistoryRow, Outcome
from glioforge.training.recipes.growth import GrowthSpec, moment_of

CURVE: Final = "distance"
"""Name of the curve's files."""
_DIRECTIONS: Final = 128
_AT_ONCE: Final = 64


@final
class Judge:
    """Scores networks on fixed noise against fixed maps; higher is better.

    Args:
        real: Held-out maps `(n, size, size)`, or volumes, of which the middle slice is compared.
        condition: Condition of each, `(n, numbers)`.
        noise: Noise for each, `(n, latent)`.
        classes: Class numbers of what a network makes.
        count: Number of classes.
    """

    def __init__(
        self,
        real: UInt8[np.ndarray, "_ ..."],
        condition: torch.Tensor,
        noise: torch.Tensor,
        classes: Callable[[torch.Tensor], torch.Tensor],
        count: int,
    ) -> None:
        self._real = one_hot_slices(real, count)
        self._condition, self._noise, self._classes, self._count = condition, noise, classes, count
        self.scalars: dict[str, float] = {}

    def __call__(self, network: nn.Module) -> float:
        """Return minus the mean distance over levels; `scalars` holds that of each level, by its pixels."""
        device = next(network.parameters()).device
        made = []
        for first in range(0, len(self._noise), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            maps = network(self._noise[part].to(device), self._condition[part].to(device))
            made.append(self._classes(maps).cpu().numpy())
        levels = sliced_wasserstein(one_hot_slices(np.concatenate(made), self._count), self._real, count=_DIRECTIONS)
        side = self._real.shape[-1]
        self.scalars = {f"distance {side >> level}": value for level, value in enumerate(levels)}
        return -float(np.mean(levels))


def one_hot_slices(numbers: UInt8[np.ndarray, "_ ..."], count: int) -> Float32[np.ndarray, "_ _ _ _"]:
    """Channels of classes; of volumes those of the middle slice."""
    planes = numbers if numbers.ndim == 3 else numbers[..., numbers.shape[-1] // 2]
    hot: Float32[np.ndarray, "_ _ _ _"] = np.moveaxis(np.eye(count, dtype=np.float32)[planes], -1, 1)
    return np.ascontiguousarray(hot)


def curve_of(outcome: Outcome, growth: GrowthSpec, levels: int) -> list[dict[str, Any]]:
    """Step, images, pixels along a side and distance of each snapshot; none without a score."""
    scored = [row for row in outcome.history if row.get("score") is not None]
    return [_row(row, growth, levels) for row in scored]


def write_curve(folder: Path, rows: list[dict[str, Any]], facts: Mapping[str, Any]) -> None:
    """Write the curve as `distance.json` and `distance.png`; nothing without rows.

    Args:
        folder: Folder of the training.
        rows: As `curve_of` returns.
        facts: What else the JSON tells, with `best_step` and `grown` (step of the whole last level).

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    if not rows:
        return
    from glioforge.report.snapshot_curve import snapshot_curve

    write_json(folder / f"{CURVE}.json", {**facts, "snapshots": rows})
    drawn = snapshot_curve(rows, best_step=facts["best_step"], grown=facts["grown"])
    write_atomically(folder / f"{CURVE}.png", drawn)


def _row(row: HistoryRow, growth: GrowthSpec, levels: int) -> dict[str, Any]:
    step = int(row["step"] or 0)
    moment = moment_of(growth, levels, max(step - 1, 0))
    apart = {name: value for name, value in row.items() if name.startswith("distance ")}
    shown = {"step": step, "images": moment.images + moment.batch_size, "side": 4 << moment.level}
    return {**shown, "distance": -float(row["score"] or 0.0), **apart}
