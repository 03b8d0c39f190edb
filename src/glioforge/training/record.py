"""What a training leaves at each validation besides its checkpoints: snapshots, pictures, events.

None of it is read again by the training, so the weights do not depend on it.
"""

from pathlib import Path
from typing import Any, final

from torch import nn

from glioforge.training.budget import Budget, HistoryRow
from glioforge.training.events import Events, require_tensorboard
from glioforge.training.observation import Observation
from glioforge.training.sample_grid import write_sample_grid
from glioforge.training.snapshots import Snapshots


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
