"""Answers as the long tables that three R packages read, to check or extend the analysis elsewhere.

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

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from glioforge.io import write_csv
from glioforge.reader.analysis_readings import REAL, Readings, ratings
from glioforge.reader.answers import Answer, guarded

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
