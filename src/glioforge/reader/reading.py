"""What a reader does: the order of the items, the next one, its answer, pauses and progress.

An answer is final.  Sending it again, by a second click, a retry after a lost connection or a second tab, changes
nothing; another answer to the same item is refused.

Practice comes first, then a permutation of the reader's own, with repeats later on.

Order and sides depend on the seed of the study and on the reader's name, and on nothing else, so that they can be
computed again.  Sides are counter-balanced over each pair of methods and so over the whole list; a repeat of a pair
swaps its sides.
"""

import csv
import io
import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from glioforge.core import stream
from glioforge.reader.answers import guarded
from glioforge.reader.folder import Study
from glioforge.reader.form import RefusedError
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


@final
@dataclass(frozen=True)
class Place:
    """One showing of an item.

    Args:
        item: Key of the item.
        repeat: Whether the reader has seen it before.
        side: Side on which the item's first stimulus is shown; empty for single items.
    """

    item: str
    repeat: bool = False
    side: str = ""


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


LEFT: Final = "left"


RIGHT: Final = "right"


_GAP: Final = 10
"""Items between an item and its repeat, where the study has as many."""


def reading_order(
    seed: int, reader: str, items: Mapping[str, str], practice: Sequence[str] = (), repeats: float = 0.0
) -> tuple[Place, ...]:
    """Return the showings of a reader.

    Args:
        seed: Seed of the study.
        reader: Name of the reader, case-folded.
        items: What is counter-balanced (the two methods of a pair, empty for single items) by the key of the item.
        practice: Keys of practice items, in their order.
        repeats: Share of the items that are shown twice.

    Example:
        >>> [place.item for place in reading_order(1, "a", {"x": "", "y": ""}, ["p"])]
        ['p', 'y', 'x']
    """
    rng = stream(seed, "order", reader)
    keys = [sorted(items)[int(n)] for n in rng.permutation(len(items))]
    sides = _sides(rng, keys, items)
    count = min(len(keys), round(repeats * len(keys)))
    gap = min(_GAP, len(keys) // 3)
    early = keys[: max(count, len(keys) - gap)]
    again = {early[int(n)] for n in rng.choice(len(early), count, replace=False)} if count else set()
    shown = [(float(n), Place(key, side=sides[key])) for n, key in enumerate(keys)]
    for n, key in enumerate(keys):
        if key in again:
            later = float(rng.uniform(min(n + gap, len(keys) - 1), len(keys))) + 0.5
            shown.append((later, Place(key, repeat=True, side=_other(sides[key]))))
    shown.sort(key=lambda one: one[0])
    return (*(Place(key) for key in practice), *(place for _, place in shown))


def _sides(rng: np.random.Generator, keys: Sequence[str], items: Mapping[str, str]) -> dict[str, str]:
    """Alternate sides within each group, beginning where the groups before left off."""
    sides = dict.fromkeys(keys, "")
    turn = int(rng.integers(2))
    for group in sorted({items[key] for key in keys} - {""}):
        for key in (key for key in keys if items[key] == group):
            sides[key] = (LEFT, RIGHT)[turn]
            turn = 1 - turn
    return sides


def _other(side: str) -> str:
    """The other side; empty for a single item."""
    return {LEFT: RIGHT, RIGHT: LEFT}.get(side, "")
