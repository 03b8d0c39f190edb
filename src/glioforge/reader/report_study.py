"""The report of a study folder: nothing before the lock, and everything that the export holds."""

from pathlib import Path

from glioforge.reader.export import locked_answers, locked_outlines
from glioforge.reader.folder import open_study
from glioforge.reader.lock import status_of
from glioforge.reader.report import write_reading_report


def report_study(folder: Path, out: Path, *, fidelity: Path | None = None) -> Path:
    """Write the report of a locked study, and return its page.

    Args:
        folder: The study.
        out: Folder of the report; made if missing.
        fidelity: `fidelity.json` of a comparison of the cohorts, for a measure of diversity.

    Raises:
        OutputError: The study is not locked, or the folder cannot be written.
        InputFileError: There is no study, its audit chain is broken, or the fidelity file cannot be read.
        CohortError: No answer counts.
    """
    study = open_study(folder)
    answers = locked_answers(folder)
    status = status_of(folder)
    facts = {"Locked": status.locked or "", "Audit chain": status.head}
    return write_reading_report(
        answers,
        study.spec,
        out,
        flags={**study.flags, **status.flags},
        facts=facts,
        fidelity=fidelity,
        outlines=locked_outlines(folder),
    )
