"""Answers to the requests of readers, without a web framework: from a call to a reply.

A reader reaches his own showings and nothing else: every look-up goes through the reader of the session.  Pixels can be
had of the item that is next, and in training of those that are answered.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final, final

from glioforge.core import GlioforgeError
from glioforge.reader import accounts, pages
from glioforge.reader.accounts import Session
from glioforge.reader.folder import Study
from glioforge.reader.form import RefusedError, read_answer
from glioforge.reader.guard import Limit
from glioforge.reader.reading import (
    Showing,
    give_answer,
    locked_at,
    next_showing,
    note_shown,
    own_answers,
    progress_of,
    showing_of,
    stimulus_file,
    true_side,
)
from glioforge.reader.stimulus import volume_file
from glioforge.reader.store import Store

HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
NOT_SAVED: Final = "The study cannot be stored at the moment. Your answer was NOT saved: please try again."


@final
@dataclass(frozen=True)
class Call:
    """A request.

    Args:
        form: Values of each field of a form.
        cookie: Cookie of the session; empty for none.
        address: Address that it came from.
        scripted: Whether a script of the page sent it, which wants JSON.
    """

    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cookie: str = ""
    address: str = ""
    scripted: bool = False

    def one(self, name: str) -> str:
        """First value of a field; empty where it is missing."""
        return next(iter(self.form.get(name, ())), "")


@final
@dataclass(frozen=True)
class Reply:
    """What is sent.

    Args:
        body: Contents.
        kind: Media type.
        status: HTTP status.
        location: Where a redirection leads.
        cookie: New value of the cookie; empty to delete it; none to leave it.
        file: Name under which a browser keeps the contents; empty to show them.
    """

    body: bytes = b""
    kind: str = HTML
    status: int = 200
    location: str = ""
    cookie: str | None = None
    file: str = ""


@final
class Handlers:
    """Answers for one study.

    Args:
        study: The study.
        store: Its database.
    """

    def __init__(self, study: Study, store: Store) -> None:
        self.study = study
        self.store = store
        self._requests = Limit(400, 2)
        self._failures = Limit(8, 600)
        self._addresses = Limit(60, 600)

    def home(self, call: Call) -> Reply:
        """The start page, or the login."""
        session = self._session(call)
        return self._login() if session is None else self._start(session)

    def log_in(self, call: Call) -> Reply:
        """Log in by name and passphrase."""
        name, passphrase = call.one("name")[:200], call.one("passphrase")[: accounts.LONGEST]
        folded = accounts.fold(name)
        if self._failures.reached(folded) or self._addresses.reached(call.address):
            return self._login("Too many attempts: try again in ten minutes.", name, 429)
        row = self.store.read(
            lambda db: db.execute("SELECT id, passphrase FROM reader WHERE folded = ?", (folded,)).fetchone()
        )
        if not accounts.is_passphrase(row and row["passphrase"], passphrase) or row is None:
            self._failures.note(folded)
            self._addresses.note(call.address)
            return self._login("Name or passphrase is wrong.", name, 403)
        return self._entered(row["id"], call)

    def log_out(self, call: Call) -> Reply:
        """End the session."""
        session = self._required(call)
        self._require_token(session, call)
        self.store.write(lambda db: accounts.log_out(db, session))
        return Reply(status=303, location="/", cookie="")

    def invitation(self, call: Call, secret: str) -> Reply:
        """Show the form of an invitation, which is not spent by looking at it."""
        row = self._invited(call, secret)
        return Reply(pages.invitation_page(self.study, row["name"]))

    def accept(self, call: Call, secret: str) -> Reply:
        """Spend an invitation."""
        row = self._invited(call, secret)
        first, second = call.one("passphrase"), call.one("again")
        problem = ""
        if not accounts.SHORTEST <= len(first) <= accounts.LONGEST:
            problem = f"A passphrase has {accounts.SHORTEST} to {accounts.LONGEST} letters."
        elif first != second:
            problem = "The two passphrases differ."
        if problem:
            return Reply(pages.invitation_page(self.study, row["name"], problem), status=422)
        hashed = accounts.hash_passphrase(first)
        reader = self.store.write(lambda db: accounts.accept(db, secret, hashed))
        if reader is None:
            raise RefusedError(404, "This invitation was used already, or replaced: log in, or ask for another one.")
        return self._entered(reader, call)

    def read(self, call: Call) -> Reply:
        """Show the next item; the end where there is none."""
        session = self._session(call)
        if session is None:
            return Reply(status=303, location="/")
        showing, locked, progress = self.store.read(
            lambda db: (next_showing(db, session.reader), locked_at(db), progress_of(db, session.reader))
        )
        if showing is None:
            return Reply(pages.done_page(self.study, session, progress))
        if locked:
            return Reply(status=303, location="/")
        self.store.write(lambda db: _note_visit(db, showing, session))
        return Reply(pages.item_page(self.study, session, showing, progress))

    def answer(self, call: Call) -> Reply:
        """Store an answer; it is on the disk before this replies."""
        session = self._required(call)
        self._require_token(session, call)
        key, body = read_answer(self.study, call.form)
        assignment = call.one("assignment")
        self.store.write(lambda db: give_answer(db, session.reader, assignment, key, body))
        showing, _ = self._showing(session, assignment)
        place = f"/feedback/{assignment}" if self._may_learn(showing) else "/read"
        if call.scripted:
            return Reply(json.dumps({"next": place}).encode(), JSON)
        return Reply(status=303, location=place)

    def mine(self, call: Call) -> Reply:
        """Send a reader his own answers, without the truth."""
        session = self._required(call)
        rows = self.store.read(lambda db: own_answers(db, session.reader))
        return Reply(rows.encode(), "text/csv; charset=utf-8", file="my-answers.csv")

    def feedback(self, call: Call, assignment: str) -> Reply:
        """Show the truth of an answered item, in training alone."""
        session = self._required(call)
        showing, row = self._showing(session, assignment)
        if not self._may_learn(showing):
            raise RefusedError(404, "There is no such page.")
        progress = self.store.read(lambda db: progress_of(db, session.reader))
        call_made = json.loads(row["body"])["call"]
        shown = {"truth": true_side(row), "call": call_made, "method": row["method"]}
        return Reply(pages.feedback_page(self.study, session, showing, progress, shown))

    def image(self, call: Call, assignment: str, panel: int, contrast: int | None) -> Reply:
        """Send the pixels of a panel; of volumes, one contrast as NIfTI.  All replies are equally long."""
        session = self._required(call)
        showing, row = self._showing(session, assignment)
        following = self.store.read(lambda db: next_showing(db, session.reader))
        allowed = self._may_learn(showing) or (following is not None and following.id == showing.id)
        file = self.store.read(lambda db: stimulus_file(db, row, panel)) if allowed else None
        volume = self.study.spec.show == "volume"
        if file is None or volume != (contrast is not None) or not 0 <= (contrast or 0) < self.study.panels:
            raise RefusedError(404, "There is no such image.")
        pixels = self.study.pixels(file)
        body = pixels if contrast is None else volume_file(pixels, self.study.frame, contrast)
        return Reply(body, BYTES)

    def refusal(self, error: Exception, call: Call) -> Reply:
        """The reply to a request that failed."""
        if isinstance(error, RefusedError):
            status, text = error.status, error.text
        elif isinstance(error, sqlite3.Error):
            status, text = 503, NOT_SAVED
        elif isinstance(error, GlioforgeError):
            status, text = 503, "The study is damaged: please inform its operator."
        else:
            raise error
        if call.scripted:
            return Reply(json.dumps({"problem": text}).encode(), JSON, status)
        heading = {404: "Not found", 403: "Not allowed", 401: "Please log in", 503: "Not saved"}.get(status, "Not done")
        return Reply(pages.message_page(self.study, heading, text), status=status)

    def session(self, call: Call) -> Session:
        """The session of a call; errors as every page that needs one."""
        return self._required(call)

    def _session(self, call: Call) -> Session | None:
        """The session of a call, if it has one."""
        if not call.cookie:
            return None
        session = self.store.read(lambda db: accounts.session_of(db, call.cookie))
        if session is not None and not self._requests.allow(session.hash):
            raise RefusedError(429, "Too many requests: wait a moment.")
        return session

    def _required(self, call: Call) -> Session:
        """The session of a call that needs one."""
        session = self._session(call)
        if session is None:
            raise RefusedError(401, "You are not logged in on this device, or were away for long: log in again.")
        return session

    def _require_token(self, session: Session, call: Call) -> None:
        """Refuse a form that does not hold the secret of the session."""
        if not compare_digest(call.one("csrf").encode("utf-8", "replace"), session.csrf.encode()):
            raise RefusedError(403, "This form belongs to an earlier session: reload the page.")

    def _showing(self, session: Session, assignment: str) -> tuple[Showing, sqlite3.Row]:
        """A showing of the reader."""
        found = self.store.read(lambda db: showing_of(db, session.reader, assignment))
        if found is None:
            raise RefusedError(404, "There is no such item.")
        return found

    def _may_learn(self, showing: Showing) -> bool:
        """Whether the truth of a showing may be shown: in training, of an answered item that is no practice."""
        return self.study.spec.feedback and showing.answered and not showing.practice

    def _invited(self, call: Call, secret: str) -> sqlite3.Row:
        """The reader of an invitation."""
        if self._addresses.reached(call.address):
            raise RefusedError(429, "Too many attempts: try again in ten minutes.")
        row = self.store.read(lambda db: accounts.invited(db, secret))
        if row is None:
            self._addresses.note(call.address)
            raise RefusedError(404, "This invitation was used already, or replaced: log in, or ask for another one.")
        return row

    def _entered(self, reader: int, call: Call) -> Reply:
        """Begin a session and go to the start page."""
        cookie = self.store.write(lambda db: accounts.log_in(db, reader, call.cookie))
        return Reply(status=303, location="/", cookie=cookie)

    def _login(self, problem: str = "", name: str = "", status: int = 200) -> Reply:
        """The login page."""
        return Reply(pages.login_page(self.study, problem, name), status=status)

    def _start(self, session: Session) -> Reply:
        """The start page."""
        progress, locked, practice = self.store.read(
            lambda db: (
                progress_of(db, session.reader),
                locked_at(db),
                db.execute("SELECT count(*) FROM item WHERE practice = 1").fetchone()[0],
            )
        )
        page = pages.start_page(self.study, session, progress, practice=practice, locked=bool(locked))
        return Reply(page)


def _note_visit(db: sqlite3.Connection, showing: Showing, session: Session) -> None:
    """Note that an item was shown, and that the session is in use."""
    note_shown(db, showing.id)
    accounts.keep(db, session)
