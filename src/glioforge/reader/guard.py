"""What every request passes first: Host, Origin, size and time of its body; and the headers of every response.

It is plain ASGI.  A name that is neither this machine's nor allowed gets 403, which stops pages of other sites that
rebind their name to this machine; a POST from a page of another origin gets 403; bodies are read whole, up to a cap
and within a time, and are forms and nothing else.  Limits say how often something may happen in a
while.
"""

import asyncio
import ipaddress
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from threading import Lock
from typing import Any, Final, final
from urllib.parse import urlsplit

from glioforge.viewer import HEADERS as PAGE_HEADERS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

HEADERS: Final[Mapping[str, str]] = {
    **PAGE_HEADERS,
    "Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"].replace(
        "form-action 'none'", "form-action 'self'"
    ),
    # A form of a page without any referrer is sent with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""Headers of every response, whatever its status."""
LARGEST: Final = 2**18
"""Bytes of the largest body: an answer with a drawing."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_FORM: Final = "application/x-www-form-urlencoded"


@final
class Guard:
    """Lets requests through to an application, or answers them itself.

    Args:
        app: The application.
        hosts: Names under which the study may be reached, besides those of the loopback interface.
        public: Whether plain IP addresses are names as well; they cannot be rebound.
        seconds: Time within which a body has to arrive.
    """

    def __init__(
        self, app: App, hosts: frozenset[str] = frozenset(), *, public: bool = False, seconds: float = 15
    ) -> None:
        self._app = app
        self._hosts = _LOOPBACK | hosts
        self._public = public
        self._seconds = seconds

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        refused = self._refusal(scope, headers)
        if refused is not None:
            return await _answer(send, *refused)
        if scope["method"] in {"GET", "HEAD"}:
            return await self._app(scope, receive, _with_headers(send))
        body = await self._body(receive)
        if body is None:
            return await _answer(send, 413, f"The request is larger than {LARGEST} bytes, or came too slowly.")

        async def whole() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        return await self._app(scope, whole, _with_headers(send))

    def _refusal(self, scope: Message, headers: list[tuple[str, str]]) -> tuple[int, str] | None:
        """Status and text for a request that goes no further."""
        found = dict(headers)
        hosts = [value for name, value in headers if name == "host"]
        if len(hosts) != 1 or not self._known(hosts[0]):
            return 403, "This server does not answer to that name; its operator can allow it by --host-name."
        if scope["method"] in {"GET", "HEAD"}:
            return None
        return _form_refusal(scope, found, hosts[0])

    def _known(self, host: str) -> bool:
        """Whether the server may be reached under a name, with any port."""
        try:
            parts = urlsplit(f"//{host}")
            name = parts.hostname or ""
            if parts.username is not None or parts.path or (parts.port or 0) < 0:
                return False
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            return self._public and ipaddress.ip_address(name) is not None
        except ValueError:
            return False

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body; none where it is too large, too slow or cut off."""
        parts = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts += message.get("body", b"")
                    if len(parts) > LARGEST:
                        return None
                    if not message.get("more_body"):
                        return bytes(parts)
        except TimeoutError:
            return None


def _form_refusal(scope: Message, found: Mapping[str, str], host: str) -> tuple[int, str] | None:
    """Status and text for what is no form of a page of the same origin."""
    if scope["method"] != "POST":
        return 405, "Only GET and POST are answered."
    if not _same_origin(found.get("origin", ""), scope["scheme"], host):
        return 403, "This form was not sent by a page of this study: open the study and try again."
    if "content-encoding" in found or found.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        return 415, "Only plain forms are accepted."
    length = found.get("content-length", "0")
    if not length.isdecimal() or int(length) > LARGEST:
        return 413, f"The request is larger than {LARGEST} bytes."
    return None


def _same_origin(origin: str, scheme: str, host: str) -> bool:
    """Whether an origin is that of the request itself."""
    return origin.lower() == f"{scheme}://{host}".lower()


def _with_headers(send: Send) -> Send:
    """Add the headers of every response to those that it has."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower() for name, _ in message.get("headers", [])}
            more = [(n.lower().encode(), v.encode()) for n, v in HEADERS.items() if n.lower().encode() not in own]
            message["headers"] = [*message.get("headers", []), *more]
        await send(message)

    return sent


async def _answer(send: Send, status: int, text: str) -> None:
    """Send a plain text and end the connection."""
    body = text.encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    headers += [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})


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
