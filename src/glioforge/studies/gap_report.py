"""The section on the domain gap: synthetic cases against test scans, improvements, and agreement with the gain."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from glioforge.report import Block, Folded, Paragraph, ResultTable, Section, Table, Trained
from glioforge.studies.agreement_report import agreement_blocks, require_untouched
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from glioforge.studies.spec import AugmentationSpec

_SHOWN: Final = (
    "patches/sliced_wasserstein/0",
    "random_convolution/kid",
    "spectrum/transport",
    "consistency/transport",
    "labels/transport",
    "lesion/transport",
)
"""Distances of the open table; all stand in the folded one."""


def gap_section(
    spec: AugmentationSpec, results: Results, overlap: ResultTable, trained: Sequence[Trained]
) -> tuple[Section, ...]:
    """Return the section; none where no gap was measured.

    Args:
        spec: Settings of the study.
        results: Its records.
        overlap: Scores of the arms, with their mean over regions.
        trained: Trainings of segmenters.

    Raises:
        LeakageError: Something was tuned on a subject on whom the distances and gains are measured.
    """
    records = results.of("gap")
    if not records:
        return ()
    require_untouched(results)
    subjects = min(row["subjects"] for record in records for row in record.details["numbers"])
    text = (
        f"Synthetic cases that passed the filters against scans of test subjects, {subjects} a side; the floor "
        "is the same number between two halves of the test subjects. A value beyond the floor is a gap between the "
        "domains of training and testing."
    )
    table = _table(records, _SHOWN, "Mean over random halves and folds; in brackets the central 95 % of the floor.")
    everything = _table(records, tuple(row["name"] for row in records[0].details["numbers"]), "All numbers.")
    blocks: list[Block] = [Paragraph(text), table, Folded("All distances", (everything,))]
    blocks += [_improvements(trained)] if any(training.history for training in trained) else []
    blocks += agreement_blocks(spec, records, overlap)
    return (Section("How large is the domain gap?", tuple(blocks)),)


def improvements(history: Sequence[Mapping[str, Any]]) -> int:
    """Count the validations whose score was higher than all before; the first one counts.

    Example:
        >>> improvements([{"score": 0.1}, {"score": 0.3}, {"score": 0.2}, {"score": 0.4}])
        3
    """
    scores = [row["score"] for row in history if row.get("score") is not None]
    best = np.maximum.accumulate([-np.inf, *scores])
    return int(sum(score > before for score, before in zip(scores, best, strict=False)))


def _table(records: Sequence[Record], names: Sequence[str], caption: str) -> Table:
    """A row a number, two columns a source."""
    sources = list(dict.fromkeys(record.arm for record in records))
    rows = []
    for name in names:
        cells = [name.replace("_", " ")]
        for source in sources:
            row = _mean(records, source, name)
            cells += [f"{row['value']:.3g}", f"{row['floor']:.3g} ({row['floor_low']:.3g} to {row['floor_high']:.3g})"]
        rows.append(tuple(cell.replace("-", "−") for cell in cells))
    headings = [heading for source in sources for heading in (source, f"{source}: floor")]
    return Table(("Number", *headings), tuple(rows), caption)


def _mean(records: Sequence[Record], source: str, name: str) -> dict[str, float]:
    """A number of a source, averaged over folds."""
    rows = [row for record in records if record.arm == source for row in record.details["numbers"]]
    mine = [row for row in rows if row["name"] == name]
    return {end: float(np.mean([row[end] for row in mine])) for end in ("value", "floor", "floor_low", "floor_high")}


def _improvements(trained: Sequence[Trained]) -> Table:
    """Validations that improved the score, by arm."""
    rows = []
    for title in dict.fromkeys(training.title for training in trained):
        counts = [improvements(training.history) for training in trained if training.title == title]
        rows.append((title, ", ".join(map(str, counts))))
    caption = "Validations that improved the score, for each training; very few are a symptom of a gap."
    return Table(("Arm", "Improvements"), tuple(rows), caption)
