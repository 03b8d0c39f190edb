"""Ctrl-C and SIGTERM end a training between two steps, after a checkpoint."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], int | None]]:
    """Hold back the first SIGINT or SIGTERM; give a function that tells which one came.

    A second one acts at once.  Outside the main thread nothing is held back.

    Example:
        >>> with deferred_interrupts() as pending:
        ...     print(pending())
        None
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: came[0] if came else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_by(number: int) -> None:
    """End as the signal asks: KeyboardInterrupt for Ctrl-C, exit code 143 for SIGTERM.

    Raises:
        KeyboardInterrupt: For SIGINT.
        SystemExit: For SIGTERM.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
