"""The test lock of a study: who has looked at its test scans before, and what its report says of that.

A study is registered when it begins, and looks when its first task scores
something on a test scan.  It is pre-registered where nobody had looked at any of
its test scans before it was registered, and exploratory otherwise.  The same
settings and scans make the same study: to resume or repeat it, or to write its
report again, is no second look; another name, title, folder, number of workers
or device makes no other study, another budget or arm does.

Phantoms are exempt, as no number of them is ever used up.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, final

from glioforge.core import CaseRef, Progress, counted
from glioforge.io import COHORT_FILE, read_json, scan_keys, state_folder, write_json
from glioforge.studies.base import StudySpec
from glioforge.studies.looks import BESIDE_NAME, STATE_NAME, Entry, LookBook, now

NAME: Final = "test-lock.json"
"""Copy of what the lock said, in the folder of a study."""
KEYS: Final = "test-scans.json"
"""Hashes of the test scans, in the folder of a study, by the digests of their files."""

_STATE_ALONE: Final = (
    "the folder of the cohort cannot be written, so that looks are kept in the user's state folder alone"
)

Kind = Literal["exempt", "pre-registered", "exploratory"]


@final
@dataclass(frozen=True)
class Look:
    """A look of another study at test scans of this one.

    Args:
        name: Name of that study.
        title: Its title.
        study: Hash of its settings.
        registered: When these were fixed.
        looked: When it looked first.
        shared: Test scans that both have.
        before: Whether it looked before this study was registered.
    """

    name: str
    title: str
    study: str
    registered: str
    looked: str
    shared: int
    before: bool


@final
@dataclass(frozen=True)
class Standing:
    """What a report says of the test lock.

    Args:
        kind: `pre-registered`, `exploratory`, or `exempt` for phantoms.
        study: Hash of the settings; empty for phantoms.
        scans: Test scans under the lock.
        registered: When the settings were fixed; empty for phantoms.
        looked: When the study looked first; none before.
        others: Looks of other studies, in order.
        note: What else a reader must know, such as a copy that could not be written; empty for nothing.
    """

    kind: Kind
    study: str = ""
    scans: int = 0
    registered: str = ""
    looked: str | None = None
    others: tuple[Look, ...] = ()
    note: str = ""

    @property
    def earlier(self) -> tuple[Look, ...]:
        """Looks before this study was registered."""
        return tuple(look for look in self.others if look.before)

    @classmethod
    def read(cls, folder: Path) -> "Standing | None":
        """Return what the lock said when the study of a folder was finished; none where it has no copy."""
        if not (folder / NAME).is_file():
            return None
        values = read_json(folder / NAME)
        return cls(**{**values, "others": tuple(Look(**look) for look in values["others"])})

    def write(self, folder: Path) -> None:
        """Write the copy that reports are made from."""
        write_json(folder / NAME, asdict(self))


@final
@dataclass(frozen=True)
class TestLock:
    """The lock of one study; picklable, so that worker processes can note its look.

    Args:
        book: Both copies of the book of looks; none for phantoms.
        entry: The study.
        note: What a reader must know of the lock itself.
    """

    __test__ = False

    book: LookBook | None
    entry: Entry
    note: str = ""

    def registered(self, progress: Progress) -> "TestLock":
        """Note the study, and say what a user should know before anything is scored.

        Raises:
            InputFileError: A copy of the book is damaged.
            OutputError: The state folder cannot be written.
        """
        if self.book is None:
            return self
        note = "" if self.book.beside is None or self.book.beside_is_kept else _STATE_ALONE
        if note:
            progress.say(note)
        lock = replace(self, entry=self.book.register(self.entry), note=note)
        earlier = lock.standing().earlier
        if earlier:
            looks = counted(len(earlier), "look")
            progress.say(f"test lock: {looks} at these test scans before; this study is exploratory")
        return lock

    def look(self) -> None:
        """Note that a test scan is scored now; errors as `LookBook.look`."""
        if self.book is not None:
            self.book.look(self.entry)

    def standing(self) -> Standing:
        """Return what the book says of the study now.

        Raises:
            InputFileError: A copy of the book is damaged.
        """
        if self.book is None:
            return Standing("exempt")
        entries = self.book.entries()
        mine = next((entry for entry in entries if entry.key == self.entry.key), self.entry)
        others = sorted(
            (
                Look(e.name, e.title, e.study, e.registered, e.looked, shared, before=e.looked <= mine.registered)
                for e in entries
                if e.key != mine.key and e.looked is not None and (shared := mine.shared_with(e))
            ),
            key=lambda look: look.looked,
        )
        kind: Kind = "exploratory" if any(look.before for look in others) else "pre-registered"
        return Standing(kind, mine.study, len(mine.scans), mine.registered, mine.looked, tuple(others), self.note)


def lock_of(  # noqa: PLR0913 - what makes an entry, by keyword
    refs: Iterable[CaseRef],
    *,
    study: str,
    name: str,
    title: str,
    keys_file: Path | None,
    beside: Path | None,
    progress: Progress,
) -> TestLock:
    """Return the lock of a study over test scans; nothing is noted before `TestLock.registered`.

    Args:
        refs: Test cases as they came; computed ones are exempt.
        study: Hash of the settings, from `settings_hash`.
        name: Name of the study.
        title: Its title.
        keys_file: Where hashes of scans are kept, so that they are not made again; none keeps none.
        beside: Folder that the cases come from; a copy is kept there if it holds a cohort, never among scans.
        progress: Where to show progress.

    Raises:
        InputFileError: A scan cannot be read.
        OutputError: The hashes cannot be written.
    """
    scans = _keys_of([ref for ref in refs if ref.lineage.kind != "phantom"], keys_file, progress)
    entry = Entry(study, name, title, scans, now(), version=metadata.version("glioforge"))
    if not scans:
        return TestLock(None, entry)
    held = beside is not None and (beside / COHORT_FILE).is_file()
    return TestLock(LookBook(state_folder() / STATE_NAME, beside / BESIDE_NAME if beside and held else None), entry)


def settings_hash(spec: StudySpec) -> str:
    """Return a hash of all settings but names, titles, and how the work is spread."""
    return hash_of(_untitled(spec.model_dump(mode="json", exclude={"name", "parallel", "accelerator"})))


def hash_of(values: Any) -> str:  # noqa: ANN401 - any plain JSON values
    """Return a hash of plain values, whatever the order of their keys.

    Example:
        >>> hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
        True
    """
    text = json.dumps(values, sort_keys=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _untitled(values: Any) -> Any:  # noqa: ANN401 - any plain JSON values
    """Plain values without titles, at any depth."""
    if isinstance(values, Mapping):
        return {name: _untitled(value) for name, value in values.items() if name != "title"}
    if isinstance(values, list):
        return [_untitled(value) for value in values]
    return values


def _keys_of(refs: list[CaseRef], file: Path | None, progress: Progress) -> tuple[tuple[str, ...], ...]:
    """Hashes of each scan; those that the file knows by the digest of the case's files are not made again."""
    known: dict[str, list[str]] = read_json(file) if file is not None and file.is_file() else {}
    missing = [ref for ref in refs if ref.digest not in known]
    for ref in progress.track(missing, "hashing test scans", len(missing)) if missing else ():
        known[ref.digest] = list(scan_keys(ref.load()))
    if missing and file is not None:
        write_json(file, known)
    return tuple(sorted(tuple(known[ref.digest]) for ref in refs))
