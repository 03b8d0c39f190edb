"""The database of a reading study: SQLite in WAL mode with full synchronisation, and one thread that writes.

A write is acknowledged after it was forced to disk.  Answers and the audit table can only be appended: triggers refuse
any change.  Each row of the audit table holds a hash over its contents and the hash of the row before it, so that a row
that was changed or removed behind the program's back is found by `verify`.

Source: sqlite.org on WAL, `synchronous=FULL` and `BEGIN IMMEDIATE`.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, final

from glioforge.core import InputFileError, OutputError

NAME: Final = "study.sqlite"
"""File of the database in the folder of a study."""
_BUSY_S: Final = 20
_FIRST: Final = "0" * 64
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE item (
  key TEXT PRIMARY KEY, subject TEXT NOT NULL, method TEXT NOT NULL, other TEXT NOT NULL, contrast TEXT NOT NULL,
  truth TEXT NOT NULL, practice INTEGER NOT NULL, facts TEXT NOT NULL) STRICT;
CREATE TABLE stimulus (item TEXT NOT NULL REFERENCES item, place INTEGER NOT NULL, file TEXT NOT NULL UNIQUE,
  PRIMARY KEY (item, place)) STRICT;
CREATE TABLE reader (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE, passphrase TEXT,
  made_at TEXT NOT NULL) STRICT;
CREATE TABLE invitation (
  hash TEXT PRIMARY KEY, reader INTEGER NOT NULL REFERENCES reader, made_at TEXT NOT NULL, ends_at TEXT NOT NULL,
  used_at TEXT) STRICT;
CREATE TABLE session (
  hash TEXT PRIMARY KEY, reader INTEGER NOT NULL REFERENCES reader, csrf TEXT NOT NULL, seen_at TEXT NOT NULL,
  ends_at TEXT NOT NULL) STRICT;
CREATE TABLE assignment (
  id TEXT PRIMARY KEY, reader INTEGER NOT NULL REFERENCES reader, place INTEGER NOT NULL,
  item TEXT NOT NULL REFERENCES item, repeat_of TEXT NOT NULL, side TEXT NOT NULL, shown_at TEXT,
  UNIQUE (reader, place)) STRICT;
CREATE TABLE answer (
  assignment TEXT PRIMARY KEY REFERENCES assignment, key TEXT NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL) STRICT;
CREATE TABLE audit (
  number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL,
  hash TEXT NOT NULL) STRICT;
CREATE TRIGGER answer_kept BEFORE UPDATE ON answer BEGIN SELECT RAISE(ABORT, 'answers are final'); END;
CREATE TRIGGER answer_stays BEFORE DELETE ON answer BEGIN SELECT RAISE(ABORT, 'answers are final'); END;
CREATE TRIGGER audit_kept BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit table is append-only'); END;
"""

Value = TypeVar("Value")
Work = Callable[[sqlite3.Connection], Value]


@final
class Store:
    """Reads from any thread, and writes one transaction after another.

    Args:
        path: The database; made by `create_store`.

    Raises:
        InputFileError: There is none, or it is damaged.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputFileError("no database", "the folder of a reading study", "check the path", path)
        self.path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(1, "reader-store")
        try:
            self.read(lambda db: db.execute("SELECT count(*) FROM meta").fetchone())
        except sqlite3.Error as error:
            self.close()
            raise InputFileError(
                f"a damaged database ({error})", "the database of a study", "restore a backup", path
            ) from error

    def read(self, work: Work[Value]) -> Value:
        """Run work that only reads, in this thread."""
        return work(self._connection())

    def write(self, work: Work[Value]) -> Value:
        """Run work as one transaction, forced to disk before this returns; all of it or nothing is kept."""
        return self._writer.submit(self._transact, work).result()

    def close(self) -> None:
        """End the writing thread and close the database."""
        self._writer.shutdown()
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _transact(self, work: Work[Value]) -> Value:
        """Run work in the writing thread."""
        db = self._connection()
        db.execute("BEGIN IMMEDIATE")
        try:
            result = work(db)
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
        return result

    def _connection(self) -> sqlite3.Connection:
        """The connection of this thread."""
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is None:
            known = self._local.connection = connect(self.path)
            with self._lock:
                self._opened.append(known)
        return known


def connect(path: Path) -> sqlite3.Connection:
    """Open a database with the settings that keep acknowledged answers."""
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        db.execute(f"PRAGMA {setting}")
    return db


def create_store(path: Path) -> None:
    """Make an empty database.

    Raises:
        OutputError: The place cannot be written, or holds one.
    """
    if path.exists():
        raise OutputError("a study in the folder", "a new folder", "choose another --out", path)
    try:
        db = connect(path)
    except sqlite3.Error as error:
        raise OutputError(f"cannot write ({error})", "a writable place", "choose another --out", path) from error
    db.executescript(_SCHEMA)
    db.close()


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds; texts sort by time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def meta(db: sqlite3.Connection, key: str) -> str | None:
    """A value that was noted; none where there is none."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row["value"])


def note(db: sqlite3.Connection, key: str, value: str) -> None:
    """Note a value, within a transaction."""
    db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))


def record(db: sqlite3.Connection, event: str, body: Mapping[str, Any]) -> str:
    """Append an event to the audit chain, within a transaction, and return the hash of the chain so far."""
    last = db.execute("SELECT hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    at, text = now(), json.dumps(dict(body), sort_keys=True, ensure_ascii=False)
    link = _link(_FIRST if last is None else str(last["hash"]), at, event, text)
    db.execute("INSERT INTO audit (at, event, body, hash) VALUES (?, ?, ?, ?)", (at, event, text, link))
    return link


def verify(db: sqlite3.Connection) -> str:
    """Check the audit chain, and every answer against it; return the hash of the chain.

    Raises:
        InputFileError: A row was changed, removed or added, or an answer is not the one that was given.
    """
    link, count, noted = _FIRST, 0, {}
    for row in db.execute("SELECT * FROM audit ORDER BY number"):
        count += 1
        link = _link(link, row["at"], row["event"], row["body"])
        if row["number"] != count or link != row["hash"]:
            raise _tampered(f"row {count} of the audit table was changed or removed")
        if row["event"] == "answer":
            body = json.loads(row["body"])
            noted[body["assignment"]] = body["digest"]
    given = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    if given is not None and given["seq"] != count:
        raise _tampered(f"{given['seq'] - count} rows at the end of the audit table were removed")
    for row in db.execute("SELECT assignment, key, body FROM answer"):
        if noted.pop(row["assignment"], None) != digest(row["assignment"], row["key"], row["body"]):
            raise _tampered(f"answer {row['assignment']} was changed or added")
    if noted:
        raise _tampered(f"answer {next(iter(noted))} was removed")
    return link


def digest(*parts: str) -> str:
    """SHA-256 over parts that cannot run into each other."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _link(before: str, at: str, event: str, body: str) -> str:
    """Hash of a row of the audit chain."""
    return digest(before, at, event, body)


def _tampered(what: str) -> InputFileError:
    """The error for a database that was changed by something else than this program."""
    return InputFileError(what, "the audit chain as it was written", "restore a backup, and say so in the report", NAME)
