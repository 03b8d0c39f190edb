"""Folders of tasks by what they hold: the same settings and inputs have the same folder, whoever asks.

    <store>/<function>-<hash>/        folder of a task, with `step.json` and `done.json` (see `io.run_folder`)
    <study>/fold-0/scores/a/seed-0    a relative link to it

A study keeps its tasks in a store of its own, `tasks/`, unless it is given one that studies share.  A folder is
locked while it is worked in; a link is made in one step and may be made again at any time.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from glioforge.config import Spec
from glioforge.io import output_error

STORE: Final = "tasks"
"""Folder of a study's own store."""


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a key holds
    """Return settings as plain JSON values, each spec with all of its defaults."""
    if isinstance(value, Spec):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def address(store: Path, name: str, key: Mapping[str, Any]) -> Path:
    """Return the folder of what has a name and a key of plain values.

    Example:
        >>> address(Path("a"), "fit", {"steps": 1}) == address(Path("a"), "fit", {"steps": 2})
        False
    """
    text = json.dumps(key, sort_keys=True, allow_nan=False)
    return store / f"{name.replace('_', '-')}-{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}"


def placed(place: Path, folder: Path) -> Path:
    """Link a place to a folder, and return the folder.

    A real folder at the place is returned instead, as it is: copies of a study often have these in the stead of links.

    Raises:
        OutputError: The place cannot be written.
    """
    if place.is_dir() and not place.is_symlink():
        return place
    target = os.path.relpath(folder.resolve(), place.parent.resolve())
    if not place.is_symlink() or place.readlink() != Path(target):
        _link(place, target)
    return folder


def _link(place: Path, target: str) -> None:
    """Make a link in one step, in the stead of one that is there."""
    partial = place.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.symlink_to(target, target_is_directory=True)
        partial.replace(place)
    except OSError as error:
        raise output_error(error, place) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
