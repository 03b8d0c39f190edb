"""Whole studies without readers: simulated readers answer through the study's own store, and the report is written.

Simulated readers are invited, shown their items in order and answer them like
people, so that order, repeats, the audit chain and the lock are those of a real
study.  Every table of the report says that nobody looked at an image.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from glioforge.core import Cohort, Progress, Silent
from glioforge.reader import accounts
from glioforge.reader.answers import Answer
from glioforge.reader.create import create_study
from glioforge.reader.demo_cases import demo_cohorts
from glioforge.reader.export import export_study
from glioforge.reader.folder import Study, open_study
from glioforge.reader.lock import SIMULATED, lock_study
from glioforge.reader.reading import give_answer, next_showing, note_shown, places_of, true_side
from glioforge.reader.report import report_study
from glioforge.reader.simulated import PROFILES, Form, SimulatedReader, answer_items
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.store import Store, record

READERS: Final[Mapping[str, str]] = {
    "Simulated expert": "expert",
    "Simulated biased reader": "biased",
    "Simulated learner": "learning",
}
"""Profile of each reader of the demonstration, by name."""
GIVEN_AWAY: Final = {"painted": 1.3, "smoothed": 0.8}
"""How much the images of each quick method give away to simulated readers."""
ITEMS: Final = 20
"""Real images of the demonstration, and synthetic ones."""
STUDY: Final = "study"
OPEN: Final = "open-study"
REPORT: Final = "report"
_MARKED = "SELECT 1 FROM audit WHERE event = ? AND json_extract(body, '$.reader') = ?"
_ITEMS = """
SELECT assignment.*, item.subject, item.method, item.other, item.contrast, item.truth, item.practice
FROM assignment JOIN item ON item.key = assignment.item WHERE assignment.reader = ? ORDER BY assignment.place
"""


def demonstrate(out: Path, *, seed: int = 11, progress: Progress | None = None) -> tuple[Path, Path]:
    """Make a study on phantoms that three simulated readers finished, and the same study, open.

    Args:
        out: Folder for both; what is there already is kept.
        seed: Seed of phantoms, items and answers.
        progress: Where to show progress.

    Returns:
        The page of the report, and the folder of the open study.

    Raises:
        OutputError: The folder cannot be written.
    """
    spec = ReaderSpec(title="Phantoms: real or painted?", seed=seed, real=ITEMS, synthetic=ITEMS)
    folder = out / OPEN
    cohorts: dict[str, Cohort] = {}
    if not all((place / "study.json").is_file() for place in (folder, out / STUDY)):
        cohorts = demo_cohorts(ITEMS, seed=seed, progress=progress)
    page = simulate_study(out, spec, cohorts, strengths=GIVEN_AWAY, progress=progress)
    if not (folder / "study.json").is_file():
        create_study(folder, spec, cohorts, progress=progress)
    return page, folder


def simulate_study(  # noqa: PLR0913 - cohorts, readers and what they are shown, by keyword
    out: Path,
    spec: ReaderSpec,
    cohorts: Mapping[str, Cohort],
    *,
    readers: Mapping[str, str] = READERS,
    strengths: Mapping[str, float] | None = None,
    allow_shortcuts: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Create a study, let simulated readers answer it, lock it, export it and write its report.

    Args:
        out: Folder for the study, its answers and its report; what is there already is kept.
        spec: Settings of the study.
        cohorts: Cases by source: `real`, and the name of each method.
        readers: Name of a profile by the reader's name.
        strengths: How much the images of each method give away, 1 unless given.
        allow_shortcuts: Go on where a pixel shortcut separates real from synthetic, and mark the study.
        progress: Where to show progress.

    Returns:
        The page of the report.

    Raises:
        CohortError: There are not enough cases, or a pixel shortcut tells the answer.
        OutputError: The folder cannot be written.
    """
    progress = progress or Silent()
    folder = out / STUDY
    study = (
        open_study(folder)
        if (folder / "study.json").is_file()
        else create_study(folder, spec, cohorts, allow_shortcuts=allow_shortcuts, progress=progress)
    )
    with study.store() as store:
        for name, profile in progress.track(readers.items(), "simulated readers", len(readers)):
            answer_study(study, store, name, PROFILES[profile], strengths=strengths)
    lock_study(folder)
    export_study(folder, out / REPORT)
    return report_study(folder, out / REPORT)


def answer_study(
    study: Study, store: Store, name: str, reader: SimulatedReader, *, strengths: Mapping[str, float] | None = None
) -> int:
    """Let a simulated reader answer all items that are left, in their order; return how many these were.

    Args:
        study: The study, open.
        store: Its database.
        name: Name of the reader, who is invited if the study does not know him.
        reader: Behaviour.
        strengths: How much the images of each method give away, 1 unless given.
    """
    folded = accounts.fold(name)

    def entering(db: Any) -> int:  # noqa: ANN401 - sqlite3
        known = db.execute("SELECT id, name FROM reader WHERE folded = ?", (folded,)).fetchone()
        if known is None:
            accounts.invite(db, name, lambda n: places_of(study, store, n))
            known = db.execute("SELECT id, name FROM reader WHERE folded = ?", (folded,)).fetchone()
        if db.execute(_MARKED, (SIMULATED, known["name"])).fetchone() is None:
            record(db, SIMULATED, {"reader": known["name"]})
        return int(known["id"])

    number = store.write(entering)
    rows = store.read(lambda db: db.execute(_ITEMS, (number,)).fetchall())
    items = [_item(study, name, row) for row in rows]
    form = Form(study.spec.confidence_levels, study.spec.scores, study.spec.cues)
    answers = answer_items(items, reader, form, seed=study.spec.seed, strengths=strengths)
    given = {row["id"]: _body(study, answer) for row, answer in zip(rows, answers, strict=True)}
    left = 0
    while (showing := store.read(lambda db: next_showing(db, number))) is not None:
        shown = showing

        def answering(db: Any, shown: Any = shown) -> bool:  # noqa: ANN401 - sqlite3, and a showing
            note_shown(db, shown.id)
            return give_answer(db, number, shown.id, shown.key, given[shown.id])

        store.write(answering)
        left += 1
    return left


def _item(study: Study, name: str, row: Any) -> Answer:  # noqa: ANN401 - a row of sqlite3
    """A showing as a row of the table of answers, without its answer."""
    return Answer(
        name,
        f"{row['item']}{'-again' if row['repeat_of'] else ''}",
        row["subject"],
        row["method"],
        row["contrast"],
        true_side(row),
        "",
        row["place"],
        study.spec.kind,
        row["other"],
        repeat_of=row["repeat_of"],
        side=row["side"],
        practice=bool(row["practice"]),
    )


def _body(study: Study, answer: Answer) -> dict[str, Any]:
    """What the form of a page would have sent."""
    asked = study.spec.confidence_levels and study.spec.calls
    return {
        "call": answer.call,
        "confidence": answer.confidence if asked else None,
        "score": None if answer.score is None else int(answer.score),
        "cues": list(answer.cues),
        "comment": "",
        "ms": answer.ms,
    }
