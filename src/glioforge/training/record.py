"""What a training shows and leaves at each validation besides checkpoints: history, snapshots, pictures, events.

While it runs, it prints one line per validation and writes a history table.  Times are
printed but not stored in the table, so that two runs of one seed give the same file.

Snapshots, pictures and events are not read again by the training, so the weights do not
depend on them.

Conventions
-----------
picture     `samples/step_000400.png`, 8-bit grey: label maps, scans and synthetic images of one batch
rows        label map if the batch has one, then for each contrast the scans and below them the synthetic images
columns     samples of the batch
grey        the same for a contrast's scans and synthetic images: the middle 99 % of the scans' brain; black outside
events      `events/`, for `tensorboard --logdir`: the history's columns as curves, and the pictures
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import nn

from glioforge.core import DependencyError
from glioforge.io import write_atomically, write_png_labels
from glioforge.training.budget import Budget, HistoryRow
from glioforge.training.recipe import Observation
from glioforge.training.snapshots import Snapshots

EVENTS: Final = "events"
SAMPLES: Final = "samples"
MOST = 8
"""Samples in a picture at most."""

Planes = Float32[np.ndarray, "b x y"]
Row = UInt8[np.ndarray, "width y"]


@final
class Record:
    """The files of one training; written by the first process alone.

    Args:
        folder: The training's own folder.
        budget: Says what is written.

    Raises:
        DependencyError: Events are asked for and TensorBoard is not installed.
    """

    def __init__(self, folder: Path, budget: Budget) -> None:
        if budget.tensorboard:
            require_tensorboard()
        self._folder, self._budget = folder, budget
        self._snapshots = Snapshots(folder, budget.snapshots)
        self._events: Events | None = None

    def note(self, row: HistoryRow, network: nn.Module, seen: Observation | None) -> None:
        """Write what belongs to a row of the history.

        Raises:
            OutputError: The disk is full or cannot be written.
        """
        step = int(row["step"] or 0)
        self._snapshots.add(step, network)
        if seen is not None and self._budget.samples:
            write_sample_grid(self._folder, step, seen)
        if self._budget.tensorboard:
            self._events = self._events or Events(self._folder, step)
            self._events.add(row, seen)

    def finish(self, last: int) -> list[dict[str, Any]]:
        """Close the events; give the snapshots up to the last step."""
        if self._events is not None:
            self._events.close()
        return self._snapshots.listed(last)


@final
class Events:
    """Writes into `events/` of a training's folder; `tensorboard --logdir` shows it.

    Args:
        folder: The training's own folder.
        first: Step of the first row to come; events of an earlier call from there on are hidden.

    Raises:
        DependencyError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, first: int) -> None:
        require_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / EVENTS), purge_step=first)

    def add(self, row: HistoryRow, seen: Observation | None) -> None:
        """Write a row of the history and the picture that belongs to it, and force both to disk."""
        step = row["step"]
        for name, value in row.items():
            if name != "step" and value is not None:
                self._writer.add_scalar(name, value, step)
        if seen is not None:
            self._writer.add_image("samples", sample_grid(seen).T[::-1], step, dataformats="HW")
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def require_tensorboard() -> None:
    """Refuse to go on without TensorBoard.

    Raises:
        DependencyError: It is not installed.
    """
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise DependencyError(
            "events asked for without TensorBoard",
            "the package tensorboard",
            "pip install 'glioforge[tensorboard]', or set budget.tensorboard to false",
        )


def write_sample_grid(folder: Path, step: int, seen: Observation) -> Path:
    """Write the picture of a validation, whole or not at all, and return where.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    path = folder / SAMPLES / f"step_{step:06d}.png"
    write_png_labels(path, sample_grid(seen))
    return path


def sample_grid(seen: Observation) -> UInt8[np.ndarray, "width height"]:
    """The picture as `(x, y)`, y upwards: `io.png` turns it as it turns slices."""
    brain = _planes(seen.batch["brain"][:, None].float())[:, 0] > 0
    real, made = _planes(seen.batch["images"]), _planes(seen.made)
    rows = [_label_row(seen.batch["labels"], len(brain))] if "labels" in seen.batch else []
    for contrast in range(real.shape[1]):
        low, high = _window(real[:, contrast], brain)
        rows += [_row(images[:, contrast], brain, low, high) for images in (real, made)]
    return np.concatenate(rows[::-1], axis=1)


def _planes(images: torch.Tensor) -> Float32[np.ndarray, "b c x y"]:
    """The first samples; of volumes the middle slice."""
    plane = images[..., images.shape[-1] // 2] if images.ndim == 5 else images
    return plane[:MOST].detach().float().cpu().numpy().astype(np.float32)


def _label_row(labels: torch.Tensor, count: int) -> Row:
    """Label maps, spread over all greys; of several planes, and of volumes, the middle one."""
    labels = labels[..., labels.shape[-1] // 2] if labels.ndim == 5 else labels
    planes = labels if labels.ndim == 3 else labels[:, labels.shape[1] // 2]
    values = planes[:count].cpu().numpy().astype(np.float32)
    return _joined(255 * values / max(float(values.max()), 1.0))


def _row(images: Planes, brain: Bool[np.ndarray, "b x y"], low: float, high: float) -> Row:
    return _joined(255 * np.clip((images - low) / (high - low), 0, 1) * brain)


def _joined(planes: Planes) -> Row:
    """Samples side by side."""
    return np.concatenate(list(np.rint(planes).astype(np.uint8)), axis=0)


def _window(real: Planes, brain: Bool[np.ndarray, "b x y"]) -> tuple[float, float]:
    """Darkest and brightest value shown; 0 to 1 where there is no brain."""
    values = real[brain]
    if not len(values):
        return 0.0, 1.0
    low, high = (float(value) for value in np.quantile(values, (0.005, 0.995)))
    return low, max(high, low + 1e-3)


_SHOWN: Final = 2
"""Losses in a bar."""


@final
@dataclass
class Averages:
    """Running means of named scalars since the last row; mutable on purpose, kept in checkpoints.

    Args:
        sums: Sum of each scalar.
        counts: How often each was added.
    """

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, scalars: Mapping[str, float]) -> None:
        """Add one step's scalars."""
        for name, value in scalars.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """Return the means so far, by name, and reset them. Empty when nothing was added."""
        means = {name: total / self.counts[name] for name, total in self.sums.items()}
        self.sums.clear()
        self.counts.clear()
        return means


def write_history(path: Path, rows: Iterable[HistoryRow]) -> None:
    """Write rows as CSV: `step` first, other columns sorted, nothing where a value is missing."""
    rows = list(rows)
    columns = ["step", *sorted({name for row in rows for name in row} - {"step"})]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def line(row: HistoryRow, steps: int, seconds_left: float, *, best: bool) -> str:
    """One line for the screen.

    Example:
        >>> line({"step": 50, "loss": 0.25, "score": 0.5}, 100, 61.0, best=True)
        'step 50 of 100: loss 0.25, score 0.5 (best so far), 1 min 1 s left'
    """
    parts = [f"{name} {value:.4g}" for name, value in row.items() if name != "step" and value is not None]
    text = ", ".join(parts) + (" (best so far)" if best else "")
    return f"step {row['step']} of {steps}: {text}, {duration(seconds_left)} left"


def present(scalars: Mapping[str, float]) -> str:
    """Return the first losses of a step in a few words, for the bar.

    Example:
        >>> present({"generator": 1.23456, "critic": 0.5, "penalty": 0.1})
        'generator 1.23, critic 0.5'
    """
    return ", ".join(f"{name} {value:.3g}" for name, value in islice(scalars.items(), _SHOWN))


def duration(seconds: float) -> str:
    """Time in words.

    Example:
        >>> [duration(s) for s in (9.2, 75, 7300)]
        ['9 s', '1 min 15 s', '2 h 1 min']
    """
    whole = round(seconds) if math.isfinite(seconds) else 0
    minutes, rest = divmod(whole, 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
