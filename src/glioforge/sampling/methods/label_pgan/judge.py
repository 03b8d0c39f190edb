"""Sliced Wasserstein distance of what a generator makes to held-out label maps, and its curve over a training.

Source: Karras et al. 2018, arXiv:1710.10196, section 5, on one-hot maps (`metrics.cohort.pyramid`); Foroozandeh &
Eklund choose their weights by it, and in their training it fell until shortly after the last fade and rose from there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from glioforge.io import write_atomically, write_json
from glioforge.nn.progressive import START
from glioforge.training import GrowthSpec, HistoryRow, Outcome, PatchScore, moment_of

CURVE: Final = "distance"
"""Name of the curve's files."""
_AT_ONCE: Final = 64


@final
class Judge:
    """Scores networks by `PatchScore`, on fixed noise against fixed maps, once their last level is in use whole.

    The distances of earlier networks are measured too, for the curve, but none of these is chosen.

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
        self._classes, self._count = classes, count
        self._parts = torch.split(noise, _AT_ONCE), torch.split(condition, _AT_ONCE)
        self._measured = PatchScore(one_hot_slices(real, count), self._made)

    @property
    def scalars(self) -> dict[str, float]:
        """Distances of the last network."""
        return self._measured.scalars

    def __call__(self, network: Any) -> float | None:  # noqa: ANN401 - a growing generator
        """Return minus the mean distance over levels; none while the network grows."""
        score = self._measured(network)
        return score if float(network.grown) == network.levels - 1 else None

    def _made(self, network: nn.Module) -> Float32[np.ndarray, "_ _ _ _"]:
        """Make as many maps as it is compared with."""
        device = next(network.parameters()).device
        made = []
        for noise, condition in zip(*self._parts, strict=True):
            made.append(self._classes(network(noise.to(device), condition.to(device))).cpu().numpy())
        return one_hot_slices(np.concatenate(made), self._count)


def one_hot_slices(numbers: UInt8[np.ndarray, "_ ..."], count: int) -> Float32[np.ndarray, "_ _ _ _"]:
    """Channels of classes; of volumes those of the middle slice."""
    planes = numbers if numbers.ndim == 3 else numbers[..., numbers.shape[-1] // 2]
    hot: Float32[np.ndarray, "_ _ _ _"] = np.moveaxis(np.eye(count, dtype=np.float32)[planes], -1, 1)
    return np.ascontiguousarray(hot)


def curve_of(outcome: Outcome, growth: GrowthSpec, levels: int) -> list[dict[str, Any]]:
    """Step, images, pixels along a side and distance of each snapshot; none where no distance was measured."""
    return [_row(row, growth, levels) for row in outcome.history if row.get("swd") is not None]


def write_curve(folder: Path, rows: list[dict[str, Any]], *, best_step: int, grown: int) -> None:
    """Write the curve as `distance.json` and `distance.png`; nothing without rows.

    Args:
        folder: Folder of the training.
        rows: As `curve_of` returns.
        best_step: Step of the snapshot that is kept.
        grown: Step from which the last level is in use whole.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    if not rows:
        return
    from glioforge.report import snapshot_curve

    write_json(folder / f"{CURVE}.json", {"best_step": best_step, "grown": grown, "snapshots": rows})
    write_atomically(folder / f"{CURVE}.png", snapshot_curve(rows, best_step=best_step, grown=grown))


def _row(row: HistoryRow, growth: GrowthSpec, levels: int) -> dict[str, Any]:
    step = int(row["step"] or 0)
    moment = moment_of(growth, levels, max(step - 1, 0))
    apart = {name: value for name, value in row.items() if name.startswith("swd_")}
    shown = {"step": step, "images": moment.images + moment.batch_size, "side": START << moment.level}
    return {**shown, "distance": row["swd"], **apart}
