"""Files that come with the package: pages, their scripts and styles, and the vendored NiiVue.

A name is looked up in a table, so that no name leads to another file.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files

from glioforge.core import InputFileError
from glioforge.viewer.server import Response

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
