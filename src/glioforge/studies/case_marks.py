"""What a study has measured of single cases, in few words, for the names of rows in galleries."""

from glioforge.core import VerdictRow
from glioforge.report import in_words
from glioforge.studies.results import Results


def mark(results: Results, words: str, **columns: object) -> str:
    """Return a number of one case, the mean over regions and contrasts that are not named; empty where there is none.

    Args:
        results: Results of the study.
        words: What it is called.
        **columns: Columns of the results table that name it; of the first fold and training unless given.

    Example:
        >>> mark(results, "SSIM", arm="generator", case_id="s1", metric="ssim", region="brain")  # doctest: +SKIP
        'SSIM 0.82'
    """
    asked = {"fold": 0, "seed": 0, **columns}
    values = [row.value for row in results.rows if all(getattr(row, name) == value for name, value in asked.items())]
    return f"{words} {sum(values) / len(values):.2f}" if values else ""


def refusals(results: Results, source: str) -> dict[str, str]:
    """Return what is said of the cases of a source that a filter refused in the first fold, by their ids."""
    found: dict[str, str] = {}
    for record in results.of("synthetic"):
        if (record.fold, record.arm) == (0, source):
            verdicts = [VerdictRow.from_json(row) for row in record.details["verdicts"]]
            found |= {row.case_id: f"refused: {in_words(row.filter)}" for row in verdicts if not row.keep}
    return found
