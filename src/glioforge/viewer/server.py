"""A web server for one person on this machine, and the files that it hands out: loopback only, nothing written.

It answers GET alone and keeps no file open to guesses: a page hands in a
function from names to responses, and a name that the function does not know
is not found.  Nothing that a request says is ever joined to a path.

Files that come with the package (pages, their scripts and styles, and the vendored
NiiVue) are looked up by name in a table, so that no name leads to another file.

Conventions
-----------
address     `http://127.0.0.1:PORT/TOKEN/`, with 128 random bits as token; a request without it gets 403
launch      an address that works once and leads to the page, for the browser's command line, which other users of the
            machine can read
Host        a loopback name with any port, so that a port that ssh forwards works; any other name gets 403, which
            stops pages of other sites that rebind their name to this machine (DNS rebinding)
headers     no caching, no sniffing, no framing, and a policy under which the browser asks nobody but this server

Source: Content Security Policy Level 3 (W3C); Jackson et al. 2007 on DNS rebinding.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from typing import ClassVar, final
from urllib.parse import urlsplit

from glioforge.core import GlioforgeError, InputFileError, SpecError
from glioforge.io import gzip_bytes

LOOPBACK = "127.0.0.1"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every response."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every response, whatever its status."""

_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_SMALLEST = 1024
"""Bytes from which a body is compressed."""


@final
@dataclass(frozen=True)
class Response:
    """What is sent for one name.

    Args:
        body: Contents.
        kind: Media type.
        status: HTTP status.
        location: Where a redirection leads.
    """

    body: bytes
    kind: str
    status: HTTPStatus = HTTPStatus.OK
    location: str = ""

    @classmethod
    def text(cls, text: str, status: HTTPStatus = HTTPStatus.OK) -> "Response":
        """Return a plain text."""
        return cls(text.encode(), "text/plain; charset=utf-8", status)


Answer = Callable[[str], Response | None]
"""From a name, such as `cases.json` or the empty name of the first page, to its response; none where it is unknown."""


@final
class PageServer:
    """Serves one page and its data on the loopback interface until it is closed.

    Args:
        answer: Gives the response to a name; called from several threads at once.  A `GlioforgeError` that it raises
            is sent as text with status 500.
        port: Port to listen on; 0 takes a free one.

    Raises:
        SpecError: The port is out of range, in use, or not allowed.
    """

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(16)
        self._launch = _Launch()
        known = {"answer": staticmethod(answer), "token": self.token, "launch": self._launch}
        try:
            self._server = _Server((LOOPBACK, port), type("_Bound", (_Handler,), known))
        except (OSError, OverflowError) as error:
            raise SpecError(
                f"port {port} cannot be used ({getattr(error, 'strerror', None) or error})",
                "a free port from 1024 to 65535, or 0 for any",
                "give another --port, or leave it out",
            ) from error

    @property
    def port(self) -> int:
        """Port that the server listens on."""
        return self._server.server_port

    @property
    def address(self) -> str:
        """Address to open, with the token."""
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"

    def launch_address(self) -> str:
        """Return an address that works once and leads to the page; an earlier one stops working."""
        return f"http://{LOOPBACK}:{self.port}/{self._launch.renew()}"

    def serve(self) -> None:
        """Answer requests until `close` is called from another thread, or the process is interrupted."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop answering and release the port."""
        self._server.shutdown()
        self._server.server_close()

    def release(self) -> None:
        """Release the port after `serve` has ended by an exception."""
        self._server.server_close()


@final
class _Launch:
    """A code that is valid once."""

    def __init__(self) -> None:
        self._code = ""

    def renew(self) -> str:
        """Return a new code."""
        self._code = secrets.token_urlsafe(16)
        return self._code

    def spend(self, code: str) -> bool:
        """Tell whether this is the code, which is invalid from then on."""
        valid = self._code != "" and hmac.compare_digest(code.encode(), self._code.encode())
        if valid:
            self._code = ""
        return valid


@final
class _Server(ThreadingHTTPServer):
    """A threading server that asks no name server for its own name."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without `socket.getfqdn`, which may ask the network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over a connection that the browser has closed."""


class _Handler(BaseHTTPRequestHandler):
    """Checks method, host and token of a request before anything looks at its name."""

    answer: ClassVar[Answer]
    token: ClassVar[str]
    launch: ClassVar[_Launch]
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Answer a request."""
        refused = self._refusal()
        self._send(refused or self._response())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no GET, or no HTTP, with a plain sentence and the headers of every response."""
        del explain
        self.close_connection = True
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self._send(Response.text(message or status.phrase, status))

    def version_string(self) -> str:
        """Name the program without versions."""
        return "glioforge"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Write no log: addresses hold the token."""

    def _refusal(self) -> Response | None:
        """The response to a request from another site, without the token, or with a launch code; none for others."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0].strip()):
            return Response.text("This server answers to localhost and 127.0.0.1 alone.", HTTPStatus.FORBIDDEN)
        given = "".join(urlsplit(self.path).path.split("/")[1:2])
        if self.launch.spend(given):
            return Response(b"", "text/plain; charset=utf-8", HTTPStatus.SEE_OTHER, f"/{self.token}/")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return Response.text("Open the whole address that glioforge printed.", HTTPStatus.FORBIDDEN)
        return None

    def _response(self) -> Response:
        """The response to the name behind the token."""
        name = urlsplit(self.path).path.split("/", 2)[2:]
        try:
            found = type(self).answer(name[0]) if name else None
        except GlioforgeError as error:
            return Response.text(str(error), HTTPStatus.INTERNAL_SERVER_ERROR)
        return found or Response.text("There is nothing of this name.", HTTPStatus.NOT_FOUND)

    def _send(self, response: Response) -> None:
        """Send a response, compressed where the browser takes that."""
        body, packed = response.body, "gzip" in getattr(self, "headers", {}).get("Accept-Encoding", "")
        packed = packed and len(body) >= _SMALLEST
        body = gzip_bytes(body) if packed else body
        self.send_response(response.status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", response.kind)
        self.send_header("Content-Length", str(len(body)))
        if response.location:
            self.send_header("Location", response.location)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
SHARED: Mapping[str, str] = {
    "adapter.js": "assets/adapter.js",
    "niivue.js": "vendor/niivue/niivue.umd.js",
}
"""Files of every page that shows volumes, by the name in the address."""
VIEW: Mapping[str, str] = {
    "": "assets/view.html",
    "view.css": "assets/view.css",
    "view.js": "assets/view.js",
    "panel.js": "assets/panel.js",
    **SHARED,
}
"""Files of the page of `glioforge view`."""


def shipped(path: str) -> bytes:
    """Read a file of the package.

    Raises:
        InputFileError: It is missing, or it is NiiVue and not the release that is named in `SOURCE.json`.
    """
    try:
        data = (files("glioforge.viewer") / path).read_bytes()
    except OSError as error:
        raise InputFileError("a missing file", "a complete installation", "install glioforge again", path) from error
    if path.startswith("vendor/"):
        _require_release(data, path)
    return data


def asset(table: Mapping[str, str], name: str) -> Response | None:
    """Return the file of a name in a table; none for a name that is not in it."""
    path = table.get(name)
    if path is None:
        return None
    return Response(shipped(path), _KINDS["." + path.rpartition(".")[2]])


def _require_release(data: bytes, path: str) -> None:
    """Refuse a vendored file whose hash is not the one noted with it."""
    note = files("glioforge.viewer") / path.rpartition("/")[0] / "SOURCE.json"
    expected = json.loads(note.read_text(encoding="utf-8"))["sha256"]
    if hashlib.sha256(data).hexdigest() != expected:
        raise InputFileError("a changed file", f"sha256 {expected}", "install glioforge again", path)
