"""How rows of progress are drawn: a live table on a terminal, a line now and then in a log."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol, final

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from glioforge.cli.log import shown

LINE_EVERY_SECONDS: Final = 60.0
"""Time between two lines of a task in a log."""

_LEAST_WIDTH: Final = 12


@final
@dataclass
class Row:
    """Where a task stands; changes as it gets on. The run itself is a row without a name.

    Args:
        name: Name of the task.
        started: When the task began, in seconds of the clock.
        title: What its bar counts.
        done: Number of items done.
        total: Number of all items, if known.
        note: Present state of the work, such as a loss.
        tracking: Whether a bar is shown.
        bar_started: When the bar began.
        last_line: When a line of the task was last printed.
        bar: The row of the live table.
    """

    name: str
    started: float
    title: str = ""
    done: int = 0
    total: int | None = None
    note: str = ""
    tracking: bool = False
    bar_started: float = 0.0
    last_line: float = 0.0
    bar: TaskID | None = None

    def begin(self, title: str, total: int | None, now: float) -> None:
        """Start a new bar."""
        self.title, self.done, self.total, self.note = title, 0, total, ""
        self.tracking, self.bar_started, self.last_line = True, now, now


class View(Protocol):
    """Draws rows; the caller sees to it that one thread calls at a time."""

    clock: Callable[[], float]

    def say(self, text: str) -> None:
        """Print a line."""

    def began(self, row: Row) -> None:
        """A task, or a new bar of it, has begun."""

    def moved(self, row: Row) -> None:
        """Items were done, or there is a new note."""

    def ended(self, row: Row) -> None:
        """The bar has ended."""

    def left(self, row: Row) -> None:
        """The task has ended."""


@final
class LiveTable:
    """Rows of bars below the lines that were printed; there as long as a task or a bar is.

    Args:
        console: A terminal.
        clock: Seconds that pass.
    """

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._console = console
        self._open: set[int] = set()
        fixed = [Column(no_wrap=True) for _ in range(6)]
        columns = (
            NameColumn(),
            BarColumn(bar_width=16, table_column=fixed[0]),
            MofNCompleteColumn(table_column=fixed[1]),
            TextColumn("{task.fields[note]}", markup=False, table_column=fixed[2]),
            TimeElapsedColumn(table_column=fixed[3]),
            TextColumn("left", table_column=fixed[4]),
            TimeRemainingColumn(table_column=fixed[5]),
        )
        self._new: Callable[[], Progress] = lambda: Progress(*columns, console=console, get_time=clock)
        self._table = self._new()

    def say(self, text: str) -> None:
        """Print a line above the table."""
        _print(self._console, text)

    def began(self, row: Row) -> None:
        """Show a task, or its new bar."""
        if not self._open:
            self._table = self._new()
            self._table.start()
        self._open.add(id(row))
        label = f"{row.name} {row.title}".strip()
        if row.bar is None:
            row.bar = self._table.add_task(label, total=row.total, note=row.note)
        else:
            self._table.reset(row.bar, description=label, total=row.total, note=row.note)

    def moved(self, row: Row) -> None:
        """Show how far a task is."""
        if row.bar is not None:
            self._table.update(row.bar, completed=row.done, note=row.note)

    def ended(self, row: Row) -> None:
        """Keep the bar of a task until its next; leave that of the run behind on the screen."""
        if not row.name:
            if row.bar is not None:
                self._table.stop_task(row.bar)
            row.bar = None
            self._close(row)

    def left(self, row: Row) -> None:
        """Take the row of a task away."""
        if row.bar is not None:
            self._table.remove_task(row.bar)
            row.bar = None
        self.say(f"{row.name}: ended after {_clock_face(self.clock() - row.started)}")
        self._close(row)

    def _close(self, row: Row) -> None:
        self._open.discard(id(row))
        if not self._open:
            self._table.stop()


@final
class NameColumn(ProgressColumn):
    """Name of the task and of its bar; on a narrow terminal it alone gives way, from the left."""

    def render(self, task: Task) -> "Shortened":
        """Return the name, to be shortened to the width there is."""
        return Shortened(task.description)


@final
@dataclass(frozen=True)
class Shortened:
    """Text that loses its beginning where there is no room: names of tasks differ in their ends.

    Args:
        text: One line.
    """

    text: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(_LEAST_WIDTH, len(self.text)), len(self.text)).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        width = options.max_width
        text = self.text if len(self.text) <= width else f"…{self.text[len(self.text) + 1 - width :]}"
        yield Text(text, no_wrap=True, overflow="crop")


@final
class LogLines:
    """A line for each task at most once a minute, and one for each bar of the run that ends.

    Args:
        console: A file or a pipe.
        clock: Seconds that pass.
    """

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._console = console

    def say(self, text: str) -> None:
        """Print a line."""
        _print(self._console, text)

    def began(self, row: Row) -> None:
        """Print nothing yet."""

    def moved(self, row: Row) -> None:
        """Print how far a task is if the last line is a minute old."""
        if row.tracking and self.clock() - row.last_line >= LINE_EVERY_SECONDS:
            self._line(row)

    def ended(self, row: Row) -> None:
        """Print the end of a bar of the run."""
        if not row.name:
            self._line(row)

    def left(self, row: Row) -> None:
        """Print that a task has ended."""
        self.say(f"{row.name}: ended after {_clock_face(self.clock() - row.started)}")

    def _line(self, row: Row) -> None:
        now = self.clock()
        row.last_line, spent = now, now - row.bar_started
        parts = [f"{row.done}{f' of {row.total}' if row.total else ''}", row.note, _clock_face(spent)]
        if row.total and 0 < row.done < row.total:
            parts.append(f"{_clock_face(spent / row.done * (row.total - row.done))} left")
        name = f"{row.name}: " if row.name else ""
        self.say(f"{name}{row.title}: {', '.join(part for part in parts if part)}")


def _print(console: Console, text: str) -> None:
    """Print a line, also into the log of the command."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    shown(text)


def _clock_face(seconds: float) -> str:
    """Time as hours, minutes and seconds.

    Example:
        >>> _clock_face(83.4)
        '0:01:23'
    """
    return str(timedelta(seconds=round(seconds)))
