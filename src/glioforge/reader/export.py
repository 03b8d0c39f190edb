"""Take a locked study out of its database: answers with their truth, the key of the items, and the audit chain.

Answers are also written as the long tables that three R packages read, to check or
extend the analysis elsewhere:

iMRMC       `imrmc.csv`: readerID, caseID, modalityID, score; a row of reader and
            modality `truth` gives 0 or 1 of each case
MRMCaov     `mrmcaov.csv`: reader, test, case, truth, rating; for
            `mrmc(empirical_auc(truth, rating), test, reader, case, data)`
MRMCbinary  `mrmcbinary.csv`: Modality, Reader, Case, D, Y

A modality is a generator.  Real images belong to no generator and are repeated
for each, so that all generators are compared on the same real images.  The score
is the confidence that an image is synthetic, negative for calls `real`; Y is the
call.  Order and milliseconds are further columns.  A case is a subject, real or
synthetic; with several items of a subject, it is an item, and the packages would
take items for independent.

Sources: iMRMC 2.1.0, dfMRMC_example; MRMCaov 0.3.0, mrmc; MRMCbinary 1.0.6.
"""

import base64
import json
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Bool

from glioforge.core import OutputError
from glioforge.io import write_csv, write_json
from glioforge.reader.analysis_readings import REAL, Readings, ratings
from glioforge.reader.answers import NAME, Answer, guarded, write_answers
from glioforge.reader.folder import Study, open_study
from glioforge.reader.form import drawn
from glioforge.reader.lock import require_locked
from glioforge.reader.reading import locked_at, true_side
from glioforge.reader.store import verify

ITEMS: Final = "items.csv"
"""Key of the items: what each shows and what is true of it."""
AUDIT: Final = "audit.csv"
SETTINGS: Final = "study.json"
_KEY: Final = ("item", "subject", "method", "other", "contrast", "truth", "practice", "tumour", "enhancing")
_AUDIT: Final = ("number", "at", "event", "body", "hash")
_ANSWERS: Final = """
SELECT reader.name, assignment.*, item.subject, item.method, item.other, item.contrast, item.truth, item.practice,
  item.facts, answer.body
FROM answer JOIN assignment ON assignment.id = answer.assignment JOIN reader ON reader.id = assignment.reader
JOIN item ON item.key = assignment.item ORDER BY reader.folded, assignment.place
"""


def export_study(folder: Path, out: Path) -> tuple[Answer, ...]:
    """Write `answers.csv`, `items.csv`, `audit.csv` and `study.json` of a locked study, and return the answers.

    Args:
        folder: The study.
        out: Folder for the files; made if missing.

    Raises:
        OutputError: The study is not locked, the folder is that of the study, or cannot be written.
        InputFileError: There is no study, or its audit chain is broken.
    """
    if out.resolve() == folder.resolve():
        raise OutputError("the folder of the study", "a folder of its own", "choose another --out", out)
    study = open_study(folder)
    answers = locked_answers(folder)
    with study.store() as store:
        items = store.read(lambda db: db.execute("SELECT * FROM item ORDER BY practice DESC, key").fetchall())
        audit = store.read(lambda db: db.execute("SELECT * FROM audit ORDER BY number").fetchall())
    write_answers(out / NAME, answers)
    write_csv(out / ITEMS, _KEY, [_key(row) for row in items])
    write_csv(out / AUDIT, _AUDIT, [{name: guarded(str(row[name])) for name in _AUDIT} for row in audit])
    write_json(out / SETTINGS, study.to_json())
    return answers


def locked_answers(folder: Path) -> tuple[Answer, ...]:
    """Return all answers of a locked study with their truth, practice among them, by reader and order.

    Raises:
        OutputError: The study is not locked.
        InputFileError: There is no study, or its audit chain is broken.
    """
    study = open_study(folder)
    return tuple(_answer(study, row) for row in _locked_rows(study))


def locked_outlines(folder: Path) -> dict[str, dict[str, Bool[np.ndarray, "_ _"]]]:
    """Return the tumours that readers outlined in a locked study, by item and reader; empty for other kinds.

    Practice and repeated items are left out; an item in which a reader outlined nothing has an empty mask.

    Raises:
        OutputError: The study is not locked.
        InputFileError: There is no study, or its audit chain is broken.
    """
    study = open_study(folder)
    if study.spec.kind != "delineation":
        return {}
    rows, columns = study.shape[2:]
    outlines: dict[str, dict[str, Bool[np.ndarray, "_ _"]]] = {}
    for row in _locked_rows(study):
        if not row["practice"] and not row["repeat_of"]:
            drawing = json.loads(row["body"])["drawing"]
            mask = drawn(drawing, (rows, columns)) if drawing else np.zeros((rows, columns), dtype=bool)
            outlines.setdefault(row["item"], {})[row["name"]] = mask
    return outlines


def _locked_rows(study: Study) -> list[sqlite3.Row]:
    """Rows of all answers; refused before the lock."""
    with study.store() as store:
        require_locked(store.read(locked_at), study.folder)
        store.read(verify)
        return store.read(lambda db: db.execute(_ANSWERS).fetchall())


def _answer(study: Study, row: sqlite3.Row) -> Answer:
    """The answer of a row."""
    body, facts = json.loads(row["body"]), json.loads(row["facts"])
    answer = Answer(
        row["name"],
        f"{row['item']}-again" if row["repeat_of"] else row["item"],
        row["subject"],
        row["method"],
        row["contrast"],
        true_side(row),
        body["call"],
        row["place"],
        study.spec.kind,
        row["other"],
        body["confidence"],
        body["score"],
        tuple(body["cues"]),
        body["comment"],
        row["shown_at"] or "",
        body["ms"],
        row["repeat_of"],
        row["side"],
        bool(row["practice"]),
        _details(body, facts),
    )
    if study.spec.kind != "delineation":
        return answer
    said = replace(answer, details={k: v for k, v in answer.details.items() if k != "drawing"})
    return replace(said, score=_overlap(study, body, facts))


def _details(body: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Further answers, with what is true of them."""
    if "tumour" not in body:
        return {}
    known = {name: body[name] for name in ("tumour", "enhancing", "where") if name in body}
    known |= {"true_tumour": facts["tumour"], "true_enhancing": facts["enhancing"]}
    if body.get("where") and "lesion" in facts:
        known["hit"] = bool(lesion_of(facts)[tuple(body["where"])])
    return known


def _overlap(study: Study, body: Mapping[str, Any], facts: Mapping[str, Any]) -> float | None:
    """Dice of a drawing with the label map, 1 where both are empty; none where there is no label map."""
    if "lesion" not in facts:
        return None
    truth = lesion_of(facts)[0]
    rows, columns = study.shape[2:]
    mine = drawn(body["drawing"], (rows, columns)) if body["drawing"] else np.zeros_like(truth)
    total = int(mine.sum() + truth.sum())
    return 1.0 if not total else round(2 * int((mine & truth).sum()) / total, 6)


def lesion_of(facts: Mapping[str, Any]) -> Bool[np.ndarray, "_ _ _"]:
    """The tumour of an item as it is shown, unpacked."""
    shape = tuple(facts["lesion"]["shape"])
    bits = np.frombuffer(zlib.decompress(base64.b64decode(facts["lesion"]["bits"])), np.uint8)
    return np.unpackbits(bits)[: int(np.prod(shape))].reshape(shape).astype(bool)


def _key(row: sqlite3.Row) -> dict[str, str]:
    """Row of the key of the items."""
    facts = json.loads(row["facts"])
    words = {None: "", True: "yes", False: "no"}
    cells = {"item": row["key"], "practice": words[bool(row["practice"])]}
    cells |= {name: row[name] for name in ("subject", "method", "other", "contrast", "truth")}
    cells |= {name: words[facts.get(name)] for name in ("tumour", "enhancing")}
    return {name: guarded(str(cells[name])) for name in _KEY}


IMRMC: Final = "imrmc.csv"
MRMCAOV: Final = "mrmcaov.csv"
MRMCBINARY: Final = "mrmcbinary.csv"
_FURTHER: Final = ("order", "ms")


def write_mrmc_files(answers: Sequence[Answer], out: Path) -> tuple[Path, ...]:
    """Write the three tables of a Visual Turing Test; none for other kinds.

    Args:
        answers: Answers of a study; practice and repeats are left out.
        out: Folder for the files.

    Returns:
        The files written.

    Raises:
        OutputError: The folder cannot be written.
    """
    readings = Readings.of(answers)
    if readings.kind not in {"turing", "training"}:
        return ()
    rows = _rows(readings)
    truth = {row["case"]: row["truth"] for row in rows}
    imrmc = [
        {"readerID": "truth", "caseID": case, "modalityID": "truth", "score": value} for case, value in truth.items()
    ]
    imrmc += [
        {"readerID": r["reader"], "caseID": r["case"], "modalityID": r["test"], "score": r["rating"]} for r in rows
    ]
    write_csv(out / IMRMC, ("readerID", "caseID", "modalityID", "score"), imrmc)
    write_csv(out / MRMCAOV, ("reader", "test", "case", "truth", "rating", *_FURTHER), [_without_call(r) for r in rows])
    binary = [
        {"Modality": r["test"], "Reader": r["reader"], "Case": r["case"], "D": r["truth"], "Y": r["call"]} | _further(r)
        for r in rows
    ]
    write_csv(out / MRMCBINARY, ("Modality", "Reader", "Case", "D", "Y", *_FURTHER), binary)
    return tuple(out / name for name in (IMRMC, MRMCAOV, MRMCBINARY))


def _rows(readings: Readings) -> list[dict[str, str]]:
    """One row for each reader, case and generator."""
    scores = ratings(readings)
    found = []
    for answer, score in zip(readings.answers, scores.tolist(), strict=True):
        case = answer.item if readings.several_per_subject else answer.subject
        modalities = (readings.methods or ("none",)) if answer.method == REAL else (answer.method,)
        row = {
            "reader": guarded(answer.reader),
            "case": guarded(f"{answer.truth}-{case}"),
            "truth": str(int(answer.truth == "synthetic")),
            "rating": f"{score:g}",
            "call": str(int(answer.call == "synthetic")),
            "order": str(answer.order),
            "ms": "" if answer.ms is None else str(answer.ms),
        }
        found += [{"test": guarded(modality), **row} for modality in modalities]
    return found


def _without_call(row: Mapping[str, str]) -> dict[str, str]:
    """Columns of MRMCaov."""
    return {name: value for name, value in row.items() if name != "call"}


def _further(row: Mapping[str, str]) -> dict[str, str]:
    """Order and time."""
    return {name: row[name] for name in _FURTHER}
