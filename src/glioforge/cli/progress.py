"""Progress on the terminal: one live table with a row for each running task, or lines where there is no terminal."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, TypeVar, final

from rich.console import Console

from glioforge.cli.progress_view import LiveTable, LogLines, Row, View

if TYPE_CHECKING:
    from glioforge.core import Progress

Item = TypeVar("Item")


@final
class TerminalProgress:
    """A `core.protocols.Progress` that draws bars on stderr, or a line every minute and task into a log.

    A bar within another of the same task is not shown. A line that two tasks say in the same words is shown once.
    Several threads may use it.

    Args:
        console: Where to print; stderr unless given.
        live: Whether to draw a live table; where stderr is a terminal unless given.
        clock: Seconds that pass.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        live: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        console = console or Console(stderr=True)
        live = sys.stderr.isatty() if live is None else live
        self._view: View = LiveTable(console, clock) if live else LogLines(console, clock)
        self._shared = _Shared()
        self.row = Row("", clock())

    def say(self, text: str) -> None:
        """Print one line, with the name of its task."""
        with self._shared.lock:
            if self.row.name and text in self._shared.said:
                return
            self._shared.said.add(text)
            line = f"{self.row.name}: {text}" if self.row.name else text
            self._view.say(line)

    def note(self, text: str) -> None:
        """Show the present state of the work with its bar."""
        with self._shared.lock:
            self.row.note = text
            self._view.moved(self.row)

    def track(self, items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
        """Pass items on while showing how many are done and how long is left."""
        if self.row.tracking:
            yield from items
            return
        with self._shared.lock:
            self.row.begin(title, total, self._view.clock())
            self._view.began(self.row)
        try:
            for item in items:
                yield item
                with self._shared.lock:
                    self.row.done += 1
                    self._view.moved(self.row)
        finally:
            with self._shared.lock:
                self.row.tracking = False
                self._view.ended(self.row)

    @contextmanager
    def task(self, name: str) -> Iterator["Progress"]:
        """Show a task in a row of its own until it ends."""
        inner = copy(self)
        inner.row = Row(f"{self.row.name} {name}".strip(), self._view.clock())
        with self._shared.lock:
            self._view.began(inner.row)
        try:
            yield inner
        finally:
            with self._shared.lock:
                self._view.left(inner.row)


@final
class _Shared:
    """What the progress of a run and of its tasks share: a lock, and the lines said so far."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.said: set[str] = set()
