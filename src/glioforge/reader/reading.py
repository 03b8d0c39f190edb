"""What a reader does: the next item, its answer, pauses and progress.

An answer is final.  Sending it again, by a second click, a retry after a lost connection or a second tab, changes
nothing; another answer to the same item is refused.
"""

import csv
import io
import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from glioforge.reader.answers import guarded
from glioforge.reader.folder import Study
from glioforge.reader.form import RefusedError
from glioforge.reader.order import RIGHT, Place, reading_order
from glioforge.reader.store import Store, digest, meta, now, record


@final
@dataclass(frozen=True)
class Showing:
    """One item as a reader meets it; nothing here says what it is.

    Args:
        id: Random name of the showing.
        place: Its number in the reader's list, from 1.
        contrast: MRI contrasts shown, joined by `+`.
        panels: Stimuli shown, 1 or 2.
        practice: Whether it is a practice item.
        answered: Whether it is answered.
        key: Idempotency key of the form.
    """

    id: str
    place: int
    contrast: str
    panels: int
    practice: bool
    answered: bool
    key: str


@final
@dataclass(frozen=True)
class Progress:
    """How far a reader is: answered, and in all."""

    done: int
    total: int

    @property
    def finished(self) -> bool:
        """Whether everything is answered."""
        return self.done >= self.total


_SHOWING = (
    "SELECT assignment.*, item.contrast, item.practice, item.other, item.truth, item.method, answer.at, answer.body "
    "FROM assignment JOIN item ON item.key = assignment.item LEFT JOIN answer ON answer.assignment = assignment.id "
)


def places_of(study: Study, store: Store, folded: str) -> tuple[Place, ...]:
    """Return the showings of a reader, by his case-folded name."""
    rows = store.read(lambda db: db.execute("SELECT key, method, other, practice FROM item ORDER BY key").fetchall())
    items = {r["key"]: f"{r['method']} {r['other']}" if r["other"] else "" for r in rows if not r["practice"]}
    practice = [row["key"] for row in rows if row["practice"]]
    return reading_order(study.spec.seed, folded, items, practice, study.spec.repeats)


def next_showing(db: sqlite3.Connection, reader: int) -> Showing | None:
    """The first item that a reader has not answered; none where all are."""
    row = db.execute(
        _SHOWING + "WHERE assignment.reader = ? AND answer.at IS NULL ORDER BY assignment.place LIMIT 1", (reader,)
    ).fetchone()
    return None if row is None else _showing(row)


def showing_of(db: sqlite3.Connection, reader: int, assignment: str) -> tuple[Showing, sqlite3.Row] | None:
    """A showing of this reader, with its row; none for one of somebody else."""
    row = db.execute(_SHOWING + "WHERE assignment.reader = ? AND assignment.id = ?", (reader, assignment)).fetchone()
    return None if row is None else (_showing(row), row)


def progress_of(db: sqlite3.Connection, reader: int) -> Progress:
    """How many items a reader has answered."""
    row = db.execute(
        "SELECT count(answer.at) AS done, count(*) AS total FROM assignment "
        "LEFT JOIN answer ON answer.assignment = assignment.id WHERE reader = ?",
        (reader,),
    ).fetchone()
    return Progress(row["done"], row["total"])


def locked_at(db: sqlite3.Connection) -> str | None:
    """When the study was locked; none where it is open."""
    return meta(db, "locked")


def note_shown(db: sqlite3.Connection, assignment: str) -> None:
    """Note when an item was shown first, within a transaction."""
    db.execute("UPDATE assignment SET shown_at = ? WHERE id = ? AND shown_at IS NULL", (now(), assignment))


def give_answer(db: sqlite3.Connection, reader: int, assignment: str, key: str, body: Mapping[str, Any]) -> bool:
    """Store an answer, within a transaction; return whether it is new.

    Raises:
        RefusedError: 404 for a showing of somebody else; 409 for another answer than the one given before, an item
            that is not the reader's next one, or a locked study.
    """
    found = showing_of(db, reader, assignment)
    if found is None:
        raise RefusedError(404, "There is no such item.")
    showing, row = found
    if showing.answered:
        if _same(json.loads(row["body"]), body):
            return False
        raise RefusedError(409, "This item is answered already, and answers are final: go on with the next one.")
    if locked_at(db) is not None:
        raise RefusedError(409, "The study is closed: this answer was not saved.")
    first = next_showing(db, reader)
    if first is None or first.id != assignment:
        raise RefusedError(409, "This is not the next item: go on with the one that is.")
    text = json.dumps(dict(body), sort_keys=True, ensure_ascii=False)
    db.execute("INSERT INTO answer VALUES (?, ?, ?, ?)", (assignment, key, text, now()))
    record(db, "answer", {"assignment": assignment, "digest": digest(assignment, key, text)})
    return True


def stimulus_file(db: sqlite3.Connection, row: sqlite3.Row, panel: int) -> str | None:
    """File of a panel of a showing, counted from the left; none where there is no such panel."""
    place = 1 - panel if row["side"] == RIGHT and panel in {0, 1} else panel
    found = db.execute("SELECT file FROM stimulus WHERE item = ? AND place = ?", (row["item"], place)).fetchone()
    return None if found is None else str(found["file"])


def own_answers(db: sqlite3.Connection, reader: int) -> str:
    """Answers of a reader as CSV for himself: numbers of items and what he said, nothing of the truth."""
    columns = ("number", "practice", "contrast", "call", "confidence", "score", "cues", "comment", "answered_at")
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    rows = db.execute(_SHOWING + "WHERE reader = ? AND answer.at IS NOT NULL ORDER BY place", (reader,))
    for row in rows:
        said = json.loads(row["body"])
        numbers = ["" if said[name] is None else str(said[name]) for name in ("confidence", "score")]
        cells = [said["call"], *numbers, ";".join(said["cues"]), said["comment"], row["at"]]
        practice = "yes" if row["practice"] else "no"
        table.writerow([str(row["place"]), practice, row["contrast"], *map(guarded, cells)])
    return text.getvalue()


def true_side(row: sqlite3.Row) -> str:
    """What is true of a showing: of a choice, the side of the real item."""
    if not row["other"] or row["truth"]:
        return str(row["truth"])
    return {"left": "right", "right": "left"}.get(row["side"], "") if row["other"] == "real" else ""


def _same(known: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether two answers say the same; the time of a second click is another."""
    return {**known, "ms": None} == {**given, "ms": None}


def _showing(row: sqlite3.Row) -> Showing:
    """The showing of a row."""
    return Showing(
        row["id"],
        row["place"],
        row["contrast"],
        2 if row["other"] else 1,
        bool(row["practice"]),
        row["at"] is not None,
        secrets.token_hex(16),
    )
