"""Events for TensorBoard: the history's columns as curves, and the pictures of samples."""

from pathlib import Path
from typing import Any, final

from glioforge.core.errors import DependencyError
from glioforge.training.budget import HistoryRow
from glioforge.training.observation import Observation
from glioforge.training.sample_grid import sample_grid

FOLDER = "events"


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

        self._writer: Any = SummaryWriter(str(folder / FOLDER), purge_step=first)

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
