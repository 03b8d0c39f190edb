"""Rows of an older `results.csv` under today's columns, so that numbers of two commits can be compared.

The older table had no columns `contrast`, `reference`, `sample`, `grid` and `empty`: contrasts were part of
`region`, and `note` was a key.
"""

import csv
from collections.abc import Iterable

COLUMNS = (
    "study", "arm", "fold", "seed", "case_id", "subject_id", "region", "metric", "value", "unit",
    "contrast", "reference", "sample", "grid", "empty", "note",
)  # fmt: skip
_SAMPLES = {"generator": "mean of draws", "generator, one draw": "one draw"}
"""Samples of arms of an augmentation study."""


def mapped(lines: Iterable[str], kind: str) -> list[str]:
    """Rows of an older table as text under today's columns, sorted.

    Args:
        lines: Lines of `results.csv`, the header first.
        kind: Kind of the study: the Dice of a comparison of synthesizers is measured on the prepared grid.
    """
    return sorted(_line(row if "contrast" in row else _mapped(row, kind)) for row in csv.DictReader(lines))


def _line(row: dict[str, str]) -> str:
    """One row as text."""
    return ",".join(f"{name}={row[name]}" for name in COLUMNS)


def _mapped(row: dict[str, str], kind: str) -> dict[str, str]:
    """One row under today's columns."""
    region, _, contrast = row["region"].partition("/")
    note = row["note"]
    new = {**row, "region": region, "contrast": contrast, "note": ""}
    if not contrast:
        grid = "prepared" if kind == "synthesizers" else "scan"
        return {**new, "reference": "", "sample": "", "grid": grid, "empty": note}
    if note.endswith(" draws"):
        return {**new, "reference": "", "sample": "between draws", "grid": "prepared", "empty": "", "note": note}
    reference = "noise-free image" if "noise-free" in note else "scan"
    found = [sample for sample in ("mean of draws", "one draw") if note.startswith(sample)]
    sample = found[0] if found else _SAMPLES.get(row["arm"], "")
    return {**new, "reference": reference, "sample": sample, "grid": "prepared", "empty": ""}
