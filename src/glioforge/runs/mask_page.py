"""The page of evaluated masks: how well they match, and where they fail."""

from collections.abc import Sequence

from glioforge.core import Cohort, listed
from glioforge.io import ResultRow
from glioforge.metrics import REGIONS
from glioforge.report import (
    Block,
    Figure,
    Folded,
    Note,
    Noun,
    Overlay,
    Paragraph,
    Report,
    ResultTable,
    Section,
    Spread,
    counted,
    outline_legend,
    overlay_figure,
    spread_table,
    subject_plot,
    subject_table,
)

MAIN = ("dice", "hd95", "sensitivity", "precision")
"""Metrics of the first table."""


def mask_page(
    cohort: Cohort,
    table: ResultTable,
    found: Sequence[Spread],
    overlays: Sequence[Overlay],
    strays: Sequence[str],
    read: str,
) -> Report:
    """Return the page of evaluated masks: scores over all cases, their spread, best to worst cases, every subject.

    Args:
        cohort: The cases, with their true labels.
        table: Scores of one arm, the masks; none gives a page that says so.
        found: Spread of each score.
        overlays: Best, median and worst case.
        strays: Files that belong to no case.
        read: How the values of masks and truth were read, without a full stop.
    """
    name, regions = next(iter(table.arms()), "masks"), regions_of(table.rows)
    arms = {name: name}
    shown = {"dice": "Dice", "hd95": "HD95"}
    plots = tuple(
        Figure(
            subject_plot(table, arms, regions, metric),
            f"{title} of every {table.noun} (grey) and the mean, with its 95 % interval where it has one.",
            f"{title} of each {table.noun} in each region",
        )
        for metric, title in shown.items()
    )
    tables = tuple(
        Folded(f"{region}, {title}", (subject_table(table, arms, region, metric),))
        for metric, title in shown.items()
        for region in regions
    )
    scores = (
        *((Note(stray_text(strays), "warning"),) if strays else ()),
        Paragraph(f"{read[0].upper()}{read[1:]}."),
        spread_table([s for s in found if s.metric in MAIN], table.noun),
        *plots,
        Folded("All metrics", (spread_table(found, table.noun),)),
    )
    text = "Cases with the highest, median and lowest mean Dice over regions."
    cases: list[Block] = [Paragraph(text), outline_legend()]
    cases += [overlay_figure(overlay, regions) for overlay in overlays]
    sections = (
        Section("Scores", scores),
        Section("Best, median and worst cases", tuple(cases) if overlays else (Paragraph("There is no case."),)),
        Section(f"Every {table.noun}", (Paragraph(f"Mean over a {table.noun}'s cases."), *tables)),
    )
    return Report(f"How well do the masks of {name} match {cohort.name}?", _verdict(cohort, found), sections)


def _verdict(cohort: Cohort, found: Sequence[Spread]) -> str:
    """Dice of each region, on how many subjects, and how many masks miss a region whole."""
    noun, count = noun_of(cohort), len(cohort.subject_ids)
    dice = [s for s in found if s.metric == "dice"]
    few = any(not spread.mean.known for spread in dice)
    where = f"{counted(len(cohort), 'case')} of {counted(count, noun)}{' (too few to conclude)' if few else ''}"
    if not dice:
        return f"No mask was scored: {where}."
    missed = [f"{s.empty[1]} in {s.region}" for s in dice if s.empty[1]]
    misses = f" Masks that miss the whole region: {', '.join(missed)}." if missed else ""
    return f"Mean Dice {', '.join(map(_dice_text, dice))}, on {where}.{misses}"


def noun_of(cohort: Cohort) -> Noun:
    """Return what subjects are called: phantoms where all are."""
    return "phantom" if len(cohort) and all(ref.lineage.kind == "phantom" for ref in cohort) else "subject"


def regions_of(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """Return the regions that were scored, in the order of the rows."""
    return tuple(dict.fromkeys(row.region for row in rows)) or REGIONS


def _dice_text(spread: Spread) -> str:
    """Mean Dice of a region; without one where no case has the region, for then it only says what was not painted."""
    if spread.empty[0] + spread.empty[2] == spread.cases:
        return f"{spread.region} undefined (no case has it)"
    return f"{spread.region} {spread.mean.estimate:.3f} (median {spread.quartiles[1]:.3f})"


def stray_text(strays: Sequence[str]) -> str:
    """Say which masks were passed over."""
    return f"Files that belong to no case of the cohort and were not judged: {listed(strays, 10)}."
