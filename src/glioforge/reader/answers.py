"""The answers of a reading study as a long table: one row an answer, read and written as CSV.

Columns
-------
reader      name of the reader
item        key of the item; each row of a reader has its own, a repeat too
subject     the person or phantom that the item shows; of pairs, that of the label map or of the real item
method      `real`, `phantom`, or the method that made the item; of pairs, the first method by name, or the
            synthetic one where the other is real
other       of pairs: the other method, or `real`; else empty
contrast    MRI contrasts shown, such as `t1` or `t1+flair`
truth       `turing`, `training`, `accept`, `likert`: `real` or `synthetic`; `choice`: the side of the real item;
            `diagnosis`, `delineation`: `tumour` or `no tumour`; `preference`: empty
call        one of `spec.CALLS` of the kind; empty for kinds without a call
confidence  1 (guess) to `confidence_levels` (certain); empty where not asked
score       quality from 1 to `scores`; of `delineation`, Dice with the label map; empty where not asked
cues        reasons ticked, separated by semicolons
comment     free text
order       1 for the reader's first item, practice items among them
shown_at    time at which the item was first sent to the reader, ISO 8601 in UTC
ms          milliseconds from the display of the item to the answer, as the reader's browser measured them
repeat_of   key of the item that this is a repeat of; else empty
side        of pairs: where `method` was shown, `left` or `right`; else empty
kind        kind of the study
practice    `yes` for a practice item, which no analysis counts; else `no`
details     further answers as JSON: `tumour`, `enhancing`, `where` (row, column), and after the lock `hit`,
            `true_tumour` and `true_enhancing`

A text cell that a spreadsheet would take for a formula gets an apostrophe in front, which reading takes off again.
Line ends become those of Unix.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, final

from glioforge.core import InputFileError
from glioforge.io import read_csv, write_csv

NAME: Final = "answers.csv"
"""File of the table in a folder of a study."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
_LINE_END: Final = re.compile(r"\r\n?")


@final
@dataclass(frozen=True)
class Answer:
    """One answer of one reader; the columns are explained above.

    Example:
        >>> given = Answer("Dr A", "item001", "s1", "real", "t1", "real", "synthetic", order=1, kind="turing")
        >>> given.correct
        False
    """

    reader: str
    item: str
    subject: str
    method: str
    contrast: str
    truth: str
    call: str
    order: int
    kind: str
    other: str = ""
    confidence: int | None = None
    score: float | None = None
    cues: tuple[str, ...] = ()
    comment: str = ""
    shown_at: str = ""
    ms: int | None = None
    repeat_of: str = ""
    side: str = ""
    practice: bool = False
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def correct(self) -> bool | None:
        """Whether the call is the truth; none where there is no truth, no call, or the two are of different kinds."""
        return self.call == self.truth if self.truth and self.call and self.kind not in {"accept", "likert"} else None

    @property
    def preferred(self) -> str | None:
        """Of a preference, the method that was preferred; none where both were equal, and for other kinds."""
        if self.kind != "preference" or self.call not in {"left", "right"}:
            return None
        return self.method if self.call == self.side else self.other


COLUMNS: Final = (
    "reader", "item", "subject", "method", "other", "contrast", "truth", "call", "confidence", "score", "cues",
    "comment", "order", "shown_at", "ms", "repeat_of", "side", "kind", "practice", "details",
)  # fmt: skip
"""Headings in the order of the file."""


def write_answers(path: Path, answers: Iterable[Answer]) -> None:
    """Write answers as CSV, whole or not at all; none give the headings alone.

    Raises:
        OutputError: The place cannot be written.
    """
    write_csv(path, COLUMNS, (_row(answer) for answer in answers))


def read_answers(path: Path) -> tuple[Answer, ...]:
    """Read answers from CSV, of this program or written by hand; columns with a default may be missing.

    Args:
        path: A file with the headings of `COLUMNS`.

    Raises:
        InputFileError: The file is no table, lacks a column, holds a value of the wrong kind, or two rows of one reader
            have the same item.
    """
    rows = read_csv(path)
    needed = [one.name for one in fields(Answer)][:9]
    missing = [name for name in needed if rows and name not in rows[0]]
    if missing:
        raise InputFileError(
            f"no column {', '.join(missing)}", f"columns {', '.join(needed)}", "export the study again", path
        )
    answers = tuple(_answer(row, number, path) for number, row in enumerate(rows, start=2))
    keys = [(answer.reader, answer.item) for answer in answers]
    if len(set(keys)) < len(keys):
        reader, item = next(key for key in keys if keys.count(key) > 1)
        raise InputFileError(
            f"two answers of {reader} to {item}", "one row a reader and item", "give repeats a key of their own", path
        )
    return answers


def guarded(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula.

    Example:
        >>> guarded("=1+1"), guarded("plain")
        ("'=1+1", 'plain')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(answer: Answer) -> dict[str, str]:
    """Cells of an answer."""
    cells = {name: "" if value is None else str(value) for name, value in vars(answer).items()}
    cells["cues"] = ";".join(answer.cues)
    cells["practice"] = "yes" if answer.practice else "no"
    cells["details"] = json.dumps(dict(answer.details), sort_keys=True) if answer.details else ""
    return {name: guarded(_LINE_END.sub("\n", cells[name]).strip()) for name in COLUMNS}


def _answer(row: Mapping[str, str], number: int, path: Path) -> Answer:
    """Answer of a row; `number` is its line."""
    cells = {name: row.get(name, "").removeprefix("'") for name in COLUMNS}
    values: dict[str, Any] = {**cells}
    try:
        values["order"] = int(cells["order"])
        values["confidence"] = int(cells["confidence"]) if cells["confidence"] else None
        values["score"] = float(cells["score"]) if cells["score"] else None
        values["ms"] = int(float(cells["ms"])) if cells["ms"] else None
        values["cues"] = tuple(cue.strip() for cue in cells["cues"].split(";") if cue.strip())
        values["practice"] = {"yes": True, "no": False, "": False}[cells["practice"].lower()]
        values["details"] = json.loads(cells["details"] or "{}")
    except (ValueError, KeyError) as error:
        raise InputFileError(
            f"line {number} with {error}", "numbers, `yes` or `no` for practice, JSON for details", where=path
        ) from error
    return Answer(**values)
