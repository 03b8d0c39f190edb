"""The web application of a study: routes, and the way from a request to a call and from a reply to a response."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from glioforge.core import DependencyError
from glioforge.reader.folder import Study
from glioforge.reader.guard import App, Guard
from glioforge.reader.handlers import Call, Handlers, Reply
from glioforge.reader.store import Store
from glioforge.viewer import SHARED, shipped

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

COOKIE: Final = "glioforge-reader"
TICK_S: Final = 0.04
"""Pixels are sent at multiples of this time after the request came, whatever it took to read them."""
_FIELDS: Final = 64
_OWN: Final = ("reader.css", "read.js", "pictures.js", "volume.js")
_KINDS: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}

Work = Callable[..., Reply]


def reading_app(
    study: Study,
    store: Store,
    hosts: frozenset[str] = frozenset(),
    *,
    public: bool = False,
    secure: bool = False,
    seconds: float = 15,
) -> App:
    """Return the ASGI application of a study.

    Args:
        study: The study.
        store: Its database, which the caller closes.
        hosts: Names under which it may be reached, besides those of the loopback interface.
        public: Whether it may also be reached by IP address.
        secure: Whether it is served by TLS, so that cookies are never sent without.
        seconds: Time within which the body of a request has to arrive.

    Raises:
        DependencyError: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise DependencyError(
            "starlette is not installed", "the packages of reading studies", "pip install 'glioforge[reader]'"
        ) from error
    handlers = Handlers(study, store)
    link = partial(_linked, handlers, secure=secure)
    secret, item = "/invite/{secret:str}", "{assignment:str}"
    routes = [
        Route("/", link(handlers.home)),
        Route("/login", link(handlers.log_in), methods=["POST"]),
        Route("/logout", link(handlers.log_out), methods=["POST"]),
        Route(secret, link(handlers.invitation)),
        Route(secret, link(handlers.accept), methods=["POST"]),
        Route("/read", link(handlers.read)),
        Route("/answer", link(handlers.answer), methods=["POST"]),
        Route("/mine.csv", link(handlers.mine)),
        Route(f"/feedback/{item}", link(handlers.feedback)),
        Route(f"/image/{item}/{{panel:int}}.bin", link(partial(_picture, handlers), tick=TICK_S)),
        Route(f"/image/{item}/{{panel:int}}/{{contrast:int}}.nii", link(handlers.image, tick=TICK_S)),
        Route("/assets/{name:str}", _asset),
    ]
    return Guard(Starlette(routes=routes), hosts, public=public, seconds=seconds)


def _picture(handlers: Handlers, call: Call, assignment: str, panel: int) -> Reply:
    """Pixels of slices."""
    return handlers.image(call, assignment, panel, None)


def _linked(
    handlers: Handlers, work: Work, *, secure: bool, tick: float = 0.0
) -> Callable[["Request"], Awaitable["Response"]]:
    """Return the endpoint of a handler, which runs in a thread of its own."""
    from starlette.concurrency import run_in_threadpool

    async def endpoint(request: "Request") -> "Response":
        begun = time.monotonic()
        call = _call(request, await request.body())
        reply = await run_in_threadpool(_replied, handlers, work, call, request.path_params)
        if tick:
            await asyncio.sleep(tick - (time.monotonic() - begun) % tick)
        return _response(reply, secure=secure)

    return endpoint


def _replied(handlers: Handlers, work: Work, call: Call, params: dict[str, Any]) -> Reply:
    """The reply of a handler, or to its refusal."""
    try:
        return work(call, **params)
    except Exception as error:  # noqa: BLE001 - unknown ones are raised again
        return handlers.refusal(error, call)


def _call(request: "Request", body: bytes) -> Call:
    """The call of a request; a body that is no form is an empty one."""
    try:
        form = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS, errors="replace")
    except ValueError:
        form = {}
    address = request.client.host if request.client else ""
    scripted = request.headers.get("accept", "") == "application/json"
    return Call(form, request.cookies.get(COOKIE, ""), address, scripted)


def _response(reply: Reply, *, secure: bool) -> "Response":
    """The response of a reply."""
    from starlette.responses import Response

    response = Response(reply.body, reply.status, media_type=reply.kind)
    if reply.location:
        response.headers["Location"] = reply.location
    if reply.file:
        response.headers["Content-Disposition"] = f'attachment; filename="{reply.file}"'
    if reply.cookie is not None:
        kept = None if reply.cookie else 0
        response.set_cookie(COOKIE, reply.cookie, max_age=kept, secure=secure, httponly=True, samesite="strict")
    return response


async def _asset(request: "Request") -> "Response":
    """Send a file of the page; these say nothing of items, and browsers may keep them for a while."""
    from starlette.responses import PlainTextResponse, Response

    name = request.path_params["name"]
    if name in SHARED:
        body = shipped(SHARED[name])
    elif name in _OWN:
        body = _own(name)
    else:
        return PlainTextResponse("There is no such file.", 404)
    headers = {"Cache-Control": "private, max-age=600"}
    return Response(body, media_type=_KINDS[name.rpartition(".")[2]], headers=headers)


@cache
def _own(name: str) -> bytes:
    """A file of this package."""
    return (files("glioforge.reader") / "assets" / name).read_bytes()
