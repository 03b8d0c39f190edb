"""A local socket that takes the progress of workers to the process that shows it."""

import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, final

from glioforge.compute.relay import PATIENCE_S, Message

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
