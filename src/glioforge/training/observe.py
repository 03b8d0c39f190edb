"""What a training shows while it runs: a history table, and one line a validation.

Times are printed but not stored in the table, so that two runs of one seed
give the same file.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, final

from glioforge.io import write_atomically
from glioforge.training.budget import HistoryRow

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
