"""Close a study before anybody looks at the truth: no answer after the lock, no truth before it."""

import sqlite3
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, final

from glioforge.core import CohortError, OutputError
from glioforge.reader.folder import open_study
from glioforge.reader.reading import locked_at
from glioforge.reader.store import note, now, record, verify

SIMULATED: Final = "simulated"
"""Event of the audit chain that says of a reader that a program answers, not a person."""


@final
@dataclass(frozen=True)
class Reader:
    """How far a reader is.

    Args:
        name: Name.
        invited: Whether the invitation is still to be used.
        done: Items answered.
        total: Items in all.
        last: Time of the last answer, ISO 8601; empty before the first.
        seconds: Median seconds an answer; none before the first.
        simulated: Whether a program answers in the place of a person.
    """

    name: str
    invited: bool
    done: int
    total: int
    last: str
    seconds: float | None
    simulated: bool = False


@final
@dataclass(frozen=True)
class Status:
    """How far a study is; it holds neither answers nor truth.

    Args:
        title: Title of the study.
        kind: Kind of the study.
        readers: Each reader, by name.
        locked: When it was locked; none where it is open.
        head: Hash of the audit chain.
        address: Where it was served last; empty where it never was.
    """

    title: str
    kind: str
    readers: tuple[Reader, ...]
    locked: str | None
    head: str
    address: str

    @property
    def flags(self) -> dict[str, str]:
        """Warning that every table carries where a program answered, by its short name; empty otherwise."""
        count = sum(reader.simulated for reader in self.readers)
        if not count:
            return {}
        if count < len(self.readers):
            return {"SIMULATED": f"{count} of {len(self.readers)} readers are simulated; they looked at no image"}
        return {"SIMULATED": "the readers are simulated; nobody looked at an image"}


_READERS = """
SELECT reader.name, reader.passphrase IS NULL AS invited, count(assignment.id) AS total, count(answer.at) AS done,
  coalesce(max(answer.at), '') AS last, EXISTS (SELECT 1 FROM audit WHERE event = 'simulated'
  AND json_extract(audit.body, '$.reader') = reader.name) AS simulated
FROM reader LEFT JOIN assignment ON assignment.reader = reader.id
LEFT JOIN answer ON answer.assignment = assignment.id GROUP BY reader.id ORDER BY reader.folded
"""
_TIMES = """
SELECT json_extract(answer.body, '$.ms') AS ms FROM answer JOIN assignment ON assignment.id = answer.assignment
JOIN reader ON reader.id = assignment.reader WHERE reader.name = ? AND ms IS NOT NULL ORDER BY ms
"""


def status_of(folder: Path) -> Status:
    """Return how far a study is.

    Raises:
        InputFileError: There is no study, or its audit chain is broken.
    """
    study = open_study(folder)
    with study.store() as store:
        head = store.read(verify)
        readers = []
        for row in store.read(lambda db: db.execute(_READERS).fetchall()):
            name = str(row["name"])
            times = store.read(partial(_times, name))
            middle = times[len(times) // 2] / 1000 if times else None
            counts = (row["done"], row["total"], row["last"])
            readers.append(Reader(name, bool(row["invited"]), *counts, middle, bool(row["simulated"])))
        found = store.read(lambda db: (locked_at(db), db.execute("SELECT value FROM meta WHERE key = 'address'")))
        address = found[1].fetchone()
        return Status(
            study.spec.title, study.spec.kind, tuple(readers), found[0], head, str(address[0]) if address else ""
        )


def _times(name: str, db: sqlite3.Connection) -> list[int]:
    """Milliseconds of the answers of a reader, rising."""
    return [int(row["ms"]) for row in db.execute(_TIMES, (name,))]


def lock_study(folder: Path, *, unfinished: bool = False) -> str:
    """Lock a study, which may be served meanwhile; return the hash of the audit chain, which belongs into the report.

    A study that is locked already stays as it is.

    Args:
        folder: The study.
        unfinished: Lock it although readers have items left.

    Raises:
        CohortError: There is no answer, or readers have items left and `unfinished` is not given.
        InputFileError: There is no study, or its audit chain is broken.
    """
    status = status_of(folder)
    if status.locked:
        return status.head
    if not any(reader.done for reader in status.readers):
        raise CohortError("no answer", "a study that was read", "invite readers first", folder.name)
    left = [f"{one.name} ({one.total - one.done} left)" for one in status.readers if one.done < one.total]
    if left and not unfinished:
        raise CohortError(
            f"readers with items left: {', '.join(left)}",
            "readers who have finished",
            "wait for them, or give --unfinished: what they have not answered stays unanswered",
            folder.name,
        )
    with open_study(folder).store() as store:

        def locking(db: sqlite3.Connection) -> str:
            note(db, "locked", now())
            return record(db, "lock", {"head": status.head, "unfinished": left})

        return store.write(locking)


def require_locked(locked: str | None, folder: Path) -> None:
    """Refuse to show the truth of a study that is still open.

    Raises:
        OutputError: The study is not locked.
    """
    if locked is None:
        raise OutputError(
            "a study that is still open",
            "a locked study, for nobody may see the truth before the last answer",
            f"lock it: glioforge reader lock {folder}",
            folder,
        )
