"""Limits on how often something may happen in a while."""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from threading import Lock
from typing import final


@final
class Limit:
    """At most a number of events of one name within a window.

    Args:
        count: Events allowed.
        seconds: Length of the window.
        clock: Seconds that pass.
    """

    def __init__(self, count: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._seconds = seconds
        self._clock = clock
        self._events: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = Lock()

    def reached(self, name: str) -> bool:
        """Whether no further event of this name is allowed now."""
        with self._lock:
            return len(self._recent(name)) >= self._count

    def note(self, name: str) -> None:
        """Count an event."""
        with self._lock:
            self._recent(name).append(self._clock())
            if len(self._events) > 10_000:
                self._forget()

    def allow(self, name: str) -> bool:
        """Count an event, and return whether it is allowed."""
        reached = self.reached(name)
        if not reached:
            self.note(name)
        return not reached

    def _recent(self, name: str) -> deque[float]:
        """Events of a name that count."""
        events, since = self._events[name], self._clock() - self._seconds
        while events and events[0] <= since:
            events.popleft()
        return events

    def _forget(self) -> None:
        """Drop names without a recent event, so that memory stays flat."""
        for name in list(self._events):
            if not self._recent(name):
                del self._events[name]
