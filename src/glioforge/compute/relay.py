"""Progress of tasks that run in other processes, sent to the process that shows it.

The work never waits for it: a thread of the worker sends what has changed, a
few times a second, and what cannot be sent is dropped.  Lines are sent in their
order; of bars and notes only the latest state.

Conventions
-----------
message   list of plain values: task, kind and what belongs to it
          `begin`, `end`   a task starts or has ended
          `say` text, `note` text
          `at` title, done, total   the outermost bar of the task; no title ends the bar
"""

import hmac
import json
import secrets
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import copy_context
from itertools import repeat
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Protocol, TypeAlias, TypeVar, final

from glioforge.core import Progress

Item = TypeVar("Item")
Message: TypeAlias = list[Any]

EVERY_SECONDS: Final = 0.25
"""Time between two messages of a worker."""
PATIENCE_S: Final = 1.0
"""Longest time that the end of a task or of a run waits for messages on their way."""


class Channel(Protocol):
    """Way from a worker to the process that shows progress; picklable."""

    def open(self) -> AbstractContextManager[Callable[[list[Message]], None]]:
        """Give a function that sends messages; it may raise an `OSError`, after which nothing more is sent."""
        ...


@final
class RelayedProgress:
    """The progress of a task in a worker, sent through an outbox.

    Args:
        task: Name of the task.
        outbox: Where messages wait to be sent.
    """

    def __init__(self, task: str, outbox: "Outbox") -> None:
        self._task, self._outbox = task, outbox
        self._tracking = False

    def track(self, items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
        """Pass items on; a bar within another is not shown."""
        if self._tracking:
            yield from items
            return
        self._tracking = True
        try:
            self._outbox.set(self._task, "at", title, 0, total)
            for done, item in enumerate(items, start=1):
                yield item
                # Replaces the message that still waits, so that a fast loop does not fill the outbox.
                self._outbox.set(self._task, "at", title, done, total)
        finally:
            self._tracking = False
            self._outbox.set(self._task, "at", "", 0, None)

    def say(self, text: str) -> None:
        """Send one line."""
        self._outbox.add(self._task, "say", text)

    def note(self, text: str) -> None:
        """Send the present state of the work."""
        self._outbox.set(self._task, "note", text)

    @contextmanager
    def task(self, name: str) -> Iterator[Progress]:
        """Show a task of this task."""
        name = f"{self._task} {name}"
        self._outbox.add(name, "begin")
        try:
            yield RelayedProgress(name, self._outbox)
        finally:
            self._outbox.add(name, "end")


@final
class Outbox:
    """Messages of a worker that wait for the thread that sends them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[Message] = []
        self._states: dict[tuple[str, str], Message] = {}

    def add(self, task: str, kind: str, *values: str) -> None:
        """Add a message that is sent in its order with the others of this kind."""
        with self._lock:
            self._lines.append([task, kind, *values])

    def set(self, task: str, kind: str, *values: str | int | None) -> None:
        """Put a message in place of the one of this task and kind that has not been sent."""
        with self._lock:
            self._states[task, kind] = [task, kind, *values]

    def take(self) -> list[Message]:
        """Return what waits, and leave nothing: beginnings and lines, states, ends."""
        with self._lock:
            ends = [line for line in self._lines if line[1] == "end"]
            # An end must come after the last state of its task, or the row would be opened again by it.
            taken = [line for line in self._lines if line[1] != "end"] + [*self._states.values()] + ends
            self._lines, self._states = [], {}
        return taken


@contextmanager
def relayed(task: str, channel: Channel) -> Iterator[Progress]:
    """Give the progress of a task in this worker, and say the warnings of Python through it.

    Args:
        task: Name of the task.
        channel: Way to the process that shows it.
    """
    outbox, ended = Outbox(), threading.Event()
    context = copy_context()  # Dask's worker is known in the context of its task alone
    sender = threading.Thread(target=context.run, args=(_send, channel, outbox, ended), name="progress", daemon=True)
    outbox.add(task, "begin")
    sender.start()
    progress = RelayedProgress(task, outbox)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: progress.say(f"warning: {message}")
            yield progress
    finally:
        outbox.add(task, "end")
        ended.set()
        sender.join(PATIENCE_S)


def _send(channel: Channel, outbox: Outbox, ended: threading.Event) -> None:
    """Send what waits, now and again until the task has ended, or until it cannot be sent."""
    with suppress(OSError), channel.open() as send:
        while True:
            last = ended.wait(EVERY_SECONDS)
            if messages := outbox.take():
                send(messages)
            if last:
                return


@final
class Relay:
    """Shows the messages of workers, as a context manager; all of them from one thread.

    Args:
        progress: Where they are shown.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._queue: SimpleQueue[list[Message] | None] = SimpleQueue()
        self._rows: dict[str, _Row] = {}
        self._thread = threading.Thread(target=self._show, name="relay", daemon=True)

    def put(self, messages: list[Message]) -> None:
        """Take messages to be shown; never waits."""
        self._queue.put(messages)

    def __enter__(self) -> "Relay":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show what came, and end the rows of tasks whose worker did not."""
        self._queue.put(None)
        self._thread.join()

    def _show(self) -> None:
        while (messages := self._queue.get()) is not None:
            for task, kind, *values in messages:
                self._apply(task, kind, values)
        for row in self._rows.values():
            row.end()

    def _apply(self, task: str, kind: str, values: list[Any]) -> None:
        if kind == "end":
            if task in self._rows:
                self._rows.pop(task).end()
            return
        row = self._rows.get(task)
        if row is None:
            row = self._rows[task] = _Row(self._progress, task)
        if kind == "say":
            row.progress.say(*values)
        elif kind == "note":
            row.progress.note(*values)
        elif kind == "at":
            row.move(*values)


@final
class _Row:
    """A task as shown here: its bar is a tracked iterator that is drawn from as the worker gets on."""

    def __init__(self, progress: Progress, task: str) -> None:
        self._stack = ExitStack()
        self.progress = self._stack.enter_context(progress.task(task))
        self._bar: Iterator[None] = iter(())
        self._at: tuple[str, int, int | None] = ("", 0, None)

    def move(self, title: str, done: int, total: int | None) -> None:
        """Move the bar to a number of items, or to a new title."""
        if (title, total) != (self._at[0], self._at[2]) or done < self._at[1]:
            self._close_bar()
            self._bar = iter(self.progress.track(repeat(None), title, total)) if title else iter(())
            next(self._bar, None)
            self._at = (title, 0, total)
        for _ in range(done - self._at[1]):
            next(self._bar, None)
        self._at = (title, done, total)

    def end(self) -> None:
        """End bar and row."""
        self._close_bar()
        self._stack.close()

    def _close_bar(self) -> None:
        close = getattr(self._bar, "close", None)
        if close is not None:
            close()


_POLL_S: Final = 0.1
_CONNECT_S: Final = 5.0
_KEY_BYTES: Final = 32


@final
class SocketChannel:
    """Way to a `SocketListener`; a line of JSON for each batch of messages.

    Args:
        port: Port of the listener on this machine.
        key: What the listener expects a worker to know, as text.
    """

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key

    @contextmanager
    def open(self) -> Iterator[Callable[[list[Message]], None]]:
        """Connect to the listener, and wait until it takes messages."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=_CONNECT_S) as connection:
            connection.sendall(self._key.encode() + b"\n")
            if connection.recv(1) != b"\n":
                raise ConnectionRefusedError
            yield lambda messages: connection.sendall(json.dumps(messages).encode() + b"\n")


@final
class SocketListener:
    """Receives the messages of workers of this machine, as a context manager.

    Args:
        put: Takes the messages of a worker.
    """

    def __init__(self, put: Callable[[list[Message]], None]) -> None:
        self._put, self._key = put, secrets.token_hex(_KEY_BYTES)
        self._ended = threading.Event()
        self._readers: list[threading.Thread] = []

    @property
    def channel(self) -> SocketChannel:
        """Way to this listener."""
        return SocketChannel(self._server.getsockname()[1], self._key)

    def __enter__(self) -> "SocketListener":
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(_POLL_S)
        self._thread = threading.Thread(target=self._accept, name="progress-listener", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait a moment for what is on its way, then listen no more."""
        self._ended.set()
        self._thread.join()
        self._server.close()
        deadline = time.monotonic() + PATIENCE_S
        for reader in self._readers:
            reader.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        while not self._ended.is_set():
            with suppress(OSError):
                connection, _ = self._server.accept()
                reader = threading.Thread(target=self._read, args=(connection,), name="progress-reader", daemon=True)
                self._readers = [*(old for old in self._readers if old.is_alive()), reader]
                reader.start()

    def _read(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as lines:
            key = lines.readline(2 * _KEY_BYTES + 1).strip()
            if not hmac.compare_digest(key, self._key.encode()):
                return
            connection.sendall(b"\n")
            for line in lines:
                self._put(json.loads(line))
