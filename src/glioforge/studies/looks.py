"""The book of looks: which studies were registered for which test scans, and when each looked at them first.

It is kept twice, in the user's state folder and next to the cohort, and what
either copy knows counts: deleting one resets nothing.  Scans are known by hashes
of their voxels (`io.digest`), never by names.  An entry that was
written is never changed but for the time of its first look.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self, final

from filelock import FileLock, Timeout

from glioforge.core import InputFileError, OutputError
from glioforge.io import output_error, read_regular_file, write_json

STATE_NAME: Final = "test-lock.json"
"""Name of the copy in the state folder."""
BESIDE_NAME: Final = "glioforge-test-lock.json"
"""Name of the copy beside a cohort."""
_VERSION: Final = 1
_MOST_BYTES: Final = 2**28
_WAIT_S: Final = 60.0


@final
@dataclass(frozen=True)
class Entry:
    """A study that was registered for some test scans.

    Args:
        study: Hash of its settings.
        name: Its name, for people.
        title: Its title, for people.
        scans: Hashes of each test scan.
        registered: When its settings were fixed, ISO 8601 in UTC.
        looked: When it first scored something on these scans; none before.
        version: Glioforge that registered it.
    """

    study: str
    name: str
    title: str
    scans: tuple[tuple[str, ...], ...]
    registered: str
    looked: str | None = None
    version: str = ""

    @property
    def key(self) -> str:
        """Hash of settings and scans: the same study of the same scans has one entry, however often it is run."""
        text = json.dumps([self.study, sorted(self.scans)])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def hashes(self) -> frozenset[str]:
        """Hashes of all scans."""
        return frozenset(key for scan in self.scans for key in scan)

    def shared_with(self, other: "Entry") -> int:
        """Number of this entry's scans that another study tests as well."""
        return sum(not other.hashes.isdisjoint(scan) for scan in self.scans)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return an entry from what `asdict` gave; raises where a value is missing or of another type."""
        texts = {name: values[name] for name in ("study", "name", "title", "registered", "version")}
        looked = values["looked"]
        if not all(isinstance(text, str) for text in (*texts.values(), looked or "")):
            raise TypeError("an entry without its texts")
        scans = tuple(tuple(str(key) for key in scan) for scan in values["scans"])
        return cls(**texts, scans=scans, looked=looked)


@final
@dataclass(frozen=True)
class LookBook:
    """Both copies of the book.

    Args:
        state: The file in the user's state folder.
        beside: The file beside the cohort; none where there is no such place.
    """

    state: Path
    beside: Path | None = None

    def entries(self) -> tuple[Entry, ...]:
        """Return what both copies know, in the order of registration.

        Raises:
            InputFileError: A copy is damaged.
        """
        known = _united(entry for path in self._paths for entry in _read(path))
        return tuple(sorted(known.values(), key=lambda entry: (entry.registered, entry.key)))

    def register(self, entry: Entry) -> Entry:
        """Note a study before it looks, and return its entry: that of its first registration where it is known.

        Raises:
            InputFileError: A copy is damaged.
            OutputError: The state folder, or a copy beside the cohort that exists, cannot be written.
        """
        return self._noted(entry)

    def look(self, entry: Entry) -> Entry:
        """Note that a study looks now, and return its entry; a look that is known stays as it is.

        Raises:
            InputFileError: A copy is damaged.
            OutputError: As `register`.
        """
        known = {found.key: found for found in self.entries()}.get(entry.key)
        if known is not None and known.looked is not None:
            return known
        return self._noted(replace(known or entry, looked=now()))

    @property
    def beside_is_kept(self) -> bool:
        """Whether the copy beside the cohort exists or can be made."""
        return self.beside is not None and (self.beside.exists() or os.access(self.beside.parent, os.W_OK))

    @property
    def _paths(self) -> tuple[Path, ...]:
        return (self.state,) if self.beside is None else (self.state, self.beside)

    def _noted(self, entry: Entry) -> Entry:
        """Write an entry into both copies under the lock of the state folder."""
        with _locked(self.state):
            known = _united((*self.entries(), entry))
            for path in self._paths:
                if path == self.state or self.beside_is_kept:
                    values = [asdict(one) for one in sorted(known.values(), key=lambda e: (e.registered, e.key))]
                    write_json(path, {"version": _VERSION, "studies": values})
        return known[entry.key]


def now() -> str:
    """Return the time in UTC to the microsecond, so that a look and a registration after it have an order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _united(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Entries by key, each with the earliest of its times."""
    known: dict[str, Entry] = {}
    for entry in entries:
        other = known.get(entry.key, entry)
        first = min(entry, other, key=lambda one: one.registered)
        looks = [one.looked for one in (entry, other) if one.looked is not None]
        known[entry.key] = replace(first, looked=min(looks, default=None))
    return known


def _read(path: Path) -> list[Entry]:
    """Entries of one copy; none where it is missing."""
    if not path.exists():
        return []
    try:
        values = json.loads(read_regular_file(path, _MOST_BYTES).decode("utf-8"))
        _require_version(values["version"])
        return [Entry.from_json(entry) for entry in values["studies"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputFileError(
            f"a damaged test lock ({error})",
            f"the list of looks that Glioforge wrote, version {_VERSION}",
            "restore the file from a backup; if there is none, move it away: the other copy still counts",
            path,
        ) from error


def _require_version(version: object) -> None:
    """Refuse a copy of another version."""
    if version != _VERSION:
        raise ValueError(f"version {version}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of the book, so that two studies cannot lose each other's looks."""
    lock = FileLock(path.with_suffix(".lock"), timeout=_WAIT_S)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            "the test lock is held by another process", f"free within {_WAIT_S:.0f} s", "run the command again", path
        ) from error
    except OSError as error:
        failed = output_error(error, path)
        remedy = "set GLIOFORGE_STATE to a folder that you may write to and that is kept"
        raise OutputError(failed.found, "a writable state folder for the test lock", remedy, path) from error
    try:
        yield
    finally:
        lock.release()
