"""Readers, their invitations and login sessions.

Secrets are random, handed out once and stored as hashes only.  An invitation works once, and lets the reader choose a
passphrase (argon2id), with which the reader logs in on other devices.  A new invitation of a reader replaces the old
one, ends all sessions and clears the passphrase.
"""

import hashlib
import re
import secrets
import sqlite3
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, final

from glioforge.core import DependencyError, SpecError
from glioforge.reader.reading import Place
from glioforge.reader.store import now, record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INVITATION: Final = timedelta(days=30)
"""Time in which an invitation has to be used."""
SESSION: Final = timedelta(days=14)
"""Time after which a reader has to log in again."""
IDLE: Final = timedelta(hours=12)
"""Time without a request after which a session ends."""
SHORTEST: Final = 10
"""Letters of the shortest passphrase."""
LONGEST: Final = 200
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,60}")


@final
@dataclass(frozen=True)
class Session:
    """A reader who is logged in.

    Args:
        reader: Number of the reader.
        name: Name of the reader.
        csrf: Secret that every form of the session holds.
        hash: Hash of the cookie.
    """

    reader: int
    name: str
    csrf: str
    hash: str


def invite(
    db: sqlite3.Connection, name: str, places: "Callable[[str], Sequence[Place]]", *, again: bool = False
) -> str:
    """Add a reader, or replace his invitation, within a transaction; return the secret of the link.

    Args:
        db: The database.
        name: Name of the reader, 1 to 60 letters.
        places: From a case-folded name to the reader's showings.
        again: Replace the invitation of a reader who is there already.

    Raises:
        SpecError: The name cannot be one, is taken, or is unknown though `again` is given.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not _NAME.fullmatch(name):
        raise SpecError(f"name {name!r}", "1 to 60 letters", where="reader")
    folded = fold(name)
    row = db.execute("SELECT id FROM reader WHERE folded = ?", (folded,)).fetchone()
    if (row is not None) != again:
        found = f"a reader {name!r} already" if row else f"no reader {name!r}"
        raise SpecError(found, remedy="replace a lost invitation by --again" if row else "leave out --again")
    if row is None:
        reader = _add(db, name, folded, places(folded))
    else:
        reader = int(row["id"])
        db.execute("UPDATE reader SET passphrase = NULL WHERE id = ?", (reader,))
        db.execute("DELETE FROM session WHERE reader = ?", (reader,))
        db.execute("DELETE FROM invitation WHERE reader = ?", (reader,))
    secret = secrets.token_urlsafe(24)
    ends = (datetime.now(UTC) + INVITATION).isoformat(timespec="milliseconds")
    db.execute("INSERT INTO invitation VALUES (?, ?, ?, ?, NULL)", (hashed(secret), reader, now(), ends))
    record(db, "invite again" if again else "invite", {"reader": name})
    return secret


def invited(db: sqlite3.Connection, secret: str) -> sqlite3.Row | None:
    """The reader (`id`, `name`) of an invitation that can still be used; none for any other secret."""
    found: sqlite3.Row | None = db.execute(
        "SELECT reader.id, reader.name FROM invitation JOIN reader ON reader.id = invitation.reader "
        "WHERE hash = ? AND used_at IS NULL AND ends_at > ?",
        (hashed(secret), now()),
    ).fetchone()
    return found


def accept(db: sqlite3.Connection, secret: str, passphrase_hash: str) -> int | None:
    """Spend an invitation and keep the reader's passphrase, within a transaction; none where it is spent already."""
    reader = invited(db, secret)
    if reader is None:
        return None
    db.execute("UPDATE invitation SET used_at = ? WHERE hash = ?", (now(), hashed(secret)))
    db.execute("UPDATE reader SET passphrase = ? WHERE id = ?", (passphrase_hash, reader["id"]))
    record(db, "accept", {"reader": reader["name"]})
    return int(reader["id"])


def log_in(db: sqlite3.Connection, reader: int, old: str = "") -> str:
    """Begin a session, within a transaction, and end an old one; return the secret of its cookie."""
    secret = secrets.token_urlsafe(32)
    ends = (datetime.now(UTC) + SESSION).isoformat(timespec="milliseconds")
    db.execute("DELETE FROM session WHERE hash = ? OR ends_at < ?", (hashed(old), now()))
    row = (hashed(secret), reader, secrets.token_urlsafe(24), now(), ends)
    db.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?)", row)
    return secret


def session_of(db: sqlite3.Connection, cookie: str) -> Session | None:
    """The session of a cookie; none where it has ended or never was."""
    idle = (datetime.now(UTC) - IDLE).isoformat(timespec="milliseconds")
    row = db.execute(
        "SELECT session.*, reader.name FROM session JOIN reader ON reader.id = session.reader "
        "WHERE hash = ? AND ends_at > ? AND seen_at > ?",
        (hashed(cookie), now(), idle),
    ).fetchone()
    return None if row is None else Session(row["reader"], row["name"], row["csrf"], row["hash"])


def keep(db: sqlite3.Connection, session: Session) -> None:
    """Note that a session is in use, within a transaction."""
    db.execute("UPDATE session SET seen_at = ? WHERE hash = ?", (now(), session.hash))


def log_out(db: sqlite3.Connection, session: Session) -> None:
    """End a session, within a transaction."""
    db.execute("DELETE FROM session WHERE hash = ?", (session.hash,))


def hash_passphrase(passphrase: str) -> str:
    """Hash a passphrase by argon2id."""
    return str(_hasher().hash(passphrase))


def is_passphrase(known: str | None, passphrase: str) -> bool:
    """Whether a passphrase is the one of a hash; takes as long where there is no hash."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return bool(_hasher().verify(known or _nobodys(), passphrase)) and known is not None
    except (Argon2Error, InvalidHashError):
        return False


def fold(name: str) -> str:
    """Return a name as it is compared: in one Unicode form, without case and outer spaces."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def hashed(secret: str) -> str:
    """SHA-256 of a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _add(db: sqlite3.Connection, name: str, folded: str, places: "Sequence[Place]") -> int:
    """Add a reader with all showings; ids of showings are random."""
    cursor = db.execute("INSERT INTO reader (name, folded, made_at) VALUES (?, ?, ?)", (name, folded, now()))
    reader = int(cursor.lastrowid or 0)
    rows = [
        (secrets.token_hex(16), reader, n, place.item, place.item if place.repeat else "", place.side)
        for n, place in enumerate(places, start=1)
    ]
    db.executemany("INSERT INTO assignment VALUES (?, ?, ?, ?, ?, ?, NULL)", rows)
    return reader


@cache
def _hasher() -> Any:  # noqa: ANN401 - the class of an optional package
    """The hash of passphrases."""
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise DependencyError(
            "argon2-cffi is not installed", "the packages of reading studies", "pip install 'glioforge[reader]'"
        ) from error
    return PasswordHasher()


@cache
def _nobodys() -> str:
    """A hash that no passphrase has, so that a name that nobody has takes as long as another."""
    return hash_passphrase(secrets.token_urlsafe(32))
