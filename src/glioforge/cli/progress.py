"""Progress on the terminal: rich bars with time left, plain lines where there is no terminal."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar, final

Item = TypeVar("Item")


@final
class TerminalProgress:
    """A `core.protocols.Progress` that draws bars on stderr, or a line every few seconds into a log."""

    LINE_EVERY_SECONDS = 15.0

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._nested = False

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def track(self, items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
        """Pass items on while showing how many are done and how long is left."""
        if not sys.stderr.isatty() or self._nested:
            yield from self._as_lines(items, title, total)
            return
        self._nested = True
        try:
            yield from self._as_bar(items, title, total)
        finally:
            self._nested = False

    def _as_bar(self, items: Iterable[Item], title: str, total: int | None) -> Iterator[Item]:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as bar:
            yield from bar.track(items, description=title, total=total)

    def _as_lines(self, items: Iterable[Item], title: str, total: int | None) -> Iterator[Item]:
        started = last = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            now = time.monotonic()
            if now - last >= self.LINE_EVERY_SECONDS or done == total:
                last = now
                left = "" if not total else f", {(now - started) / done * (total - done):.0f} s left"
                self.say(f"{title}: {done}{f' of {total}' if total else ''}, {now - started:.0f} s{left}")
