"""Serve a study: on this machine alone, or on a network by TLS."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from glioforge.core import DependencyError, InputFileError, Progress, Silent, SpecError
from glioforge.reader.app import reading_app
from glioforge.reader.folder import open_study
from glioforge.reader.store import note, record, verify

if TYPE_CHECKING:
    from uvicorn import Config

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
HEADER_S: Final = 15
"""Seconds within which the head of a request has to arrive."""
_CONNECTIONS: Final = 400


@final
@dataclass(frozen=True)
class Address:
    """Where a study is served.

    Args:
        host: Address to listen on.
        port: Port; 0 takes a free one.
        names: Names of this machine under which readers reach it.
        certificate: TLS certificate, PEM; none for plain HTTP.
        key: Its private key, PEM.
        insecure: Serve plain HTTP on a network nevertheless.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    names: Sequence[str] = ()
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False

    @property
    def public(self) -> bool:
        """Whether other machines can reach it."""
        return self.host not in LOOPBACK

    @property
    def secure(self) -> bool:
        """Whether it is served by TLS."""
        return self.certificate is not None

    def url(self, port: int) -> str:
        """Address for a browser."""
        name = self.names[0] if self.names else "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared
        return f"http{'s' * self.secure}://{f'[{name}]' if ':' in name else name}:{port}"

    def require_sense(self) -> None:
        """Refuse plain HTTP on a network, and half a pair of TLS files.

        Raises:
            SpecError: TLS files are missing, and `insecure` is not given.
            InputFileError: A TLS file is missing.
        """
        if (self.certificate is None) != (self.key is None):
            raise SpecError("one of --certificate and --key", "both, or neither", "name both files")
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise InputFileError("no such file", "a PEM file", "check the path", path)
        if self.public and not self.secure and not self.insecure:
            raise SpecError(
                f"plain HTTP on {self.host}, where others can read passphrases and answers",
                "TLS on an address that other machines reach",
                "give --certificate and --key; within a network that you trust, --insecure",
                "--host",
            )


def serve_study(folder: Path, address: Address | None = None, *, progress: Progress | None = None) -> None:
    """Serve a study until the call is interrupted (Ctrl-C); answers are on the disk before they are acknowledged.

    Args:
        folder: The study.
        address: Where to serve it; on this machine alone unless given.
        progress: Where the address is said.

    Raises:
        InputFileError: There is no study, it is damaged, or a TLS file is missing.
        SpecError: The address cannot be used, or lacks TLS.
        DependencyError: The packages of reading studies are not installed.
    """
    address, progress = address or Address(), progress or Silent()
    address.require_sense()
    study = open_study(folder)
    with study.store() as store, _listening(address) as listener:
        store.read(verify)
        url = address.url(listener.getsockname()[1])
        store.write(lambda db: note(db, "address", url))
        store.write(lambda db: record(db, "serve", {"public": address.public}))
        names = frozenset(name.lower() for name in address.names)
        app = reading_app(study, store, names, public=address.public, secure=address.secure)
        progress.say(f"{study.spec.title}: {url}")
        progress.say("invite readers in another terminal: glioforge reader invite; Ctrl-C ends this server")
        asyncio.run(_served(_config(app, address), listener))


async def _served(config: "Config", listener: socket.socket) -> None:
    """Serve until a signal."""
    from uvicorn import Server

    await Server(config).serve(sockets=[listener])


def _listening(address: Address) -> socket.socket:
    """A socket that listens, so that a port that is taken is an error before anything else."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(256)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise SpecError(
            f"{address.host} port {address.port} cannot be used ({reason})", "a free port", "give another --port"
        ) from error
    return listener


def _config(app: Any, address: Address) -> "Config":  # noqa: ANN401 - any ASGI application
    """Settings of uvicorn."""
    try:
        from uvicorn import Config
        from uvicorn.protocols.http.h11_impl import H11Protocol
    except ImportError as error:
        raise DependencyError(
            "uvicorn is not installed", "the packages of reading studies", "pip install 'glioforge[reader]'"
        ) from error

    @final
    class Patient(H11Protocol):
        """HTTP that waits for the head of a request for some seconds only."""

        def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - of the base class
            """Close a connection on which no whole head arrives in time."""
            super().connection_made(transport)
            self.loop.call_later(HEADER_S, self._lose_patience)

        def _lose_patience(self) -> None:
            """Close it if no request was read yet."""
            if getattr(self, "cycle", None) is None and not self.transport.is_closing():
                self.transport.close()

    return Config(
        app,
        http=Patient,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=16_384,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
        proxy_headers=False,
    )
