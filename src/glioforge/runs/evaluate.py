"""Judge any folder of masks against a cohort: a table, a summary for programs, and a page of where masks fail."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glioforge.core import Cohort, LabelScheme, LabelSource, Progress, Silent, listed, scheme_named
from glioforge.io import (
    CSV,
    MASKS,
    ResultRow,
    Step,
    hash_of_file,
    read_labels,
    require_kind,
    write_atomically,
    write_json,
    write_results,
)
from glioforge.metrics import REGIONS
from glioforge.report import (
    MEAN,
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
    extreme_cases,
    outline_legend,
    overlay_figure,
    render,
    spread_table,
    spreads,
    subject_plot,
    subject_table,
)
from glioforge.segmentation import evaluate_predictions, find_masks, source_of_masks, stray_masks

PAGE = "report.html"


def evaluate_folder(
    cohort: Cohort, predictions: Path, out: Path, *, scheme: str | None = None, progress: Progress | None = None
) -> Path:
    """Judge every mask, and write `results.csv`, `results.parquet`, `summary.json` and a report.

    Args:
        cohort: Labelled cases.
        predictions: Folder of NIfTI masks named by case.
        out: Folder of the results.
        scheme: Label scheme of the masks; as `segmentation.masks` decides unless given.
        progress: Where to show progress.

    Returns:
        The report, one HTML file.

    Raises:
        InputFileError: A mask is missing, doubled, damaged or lies on another grid.
        LabelError: A value has no name in the scheme.
        CaseError: A case has no true labels.
        OutputError: The folder holds results of other masks, cases or another scheme, or cannot be written.
    """
    progress = progress or Silent()
    require_kind(predictions, MASKS)
    masks = find_masks(predictions, cohort)
    source = source_of_masks(predictions, masks, cohort, scheme)
    read = f"masks are read as {source}; the truth is {cohort.source or cohort.scheme.name}"
    progress.say(read)
    key = {
        "verb": "evaluate",
        "folder": predictions.resolve().name,
        "masks": {case_id: hash_of_file(path) for case_id, path in masks.items()},
        "cohort": cohort.fingerprint,
        "scheme": source.scheme,
    }
    step = Step(out, key, writes=(CSV,))
    if step.done and (out / PAGE).exists():
        return out / PAGE
    strays = stray_masks(predictions, cohort)
    if strays:
        progress.say(stray_text(strays))
    rows = evaluate_predictions(predictions, cohort, scheme=source.scheme, progress=progress)
    name = predictions.resolve().name
    regions = regions_of(rows)
    table = ResultTable(rows, noun=noun_of(cohort))
    found = spreads(table.with_mean(regions), name, (*regions, MEAN))
    cases = extreme_cases(table, name, regions)
    overlays = [_overlay(cohort, case, masks, scheme_named(source.scheme)) for case in cases]
    summary = {
        "masks": name,
        "cohort": cohort.name,
        "fingerprint": cohort.fingerprint,
        "cases": len(cohort),
        "scheme": source.to_json(),
        "truth": (cohort.source or LabelSource(cohort.scheme.name, "")).to_json(),
        "subjects": len(cohort.subject_ids),
        "masks_of_no_case": strays,
        "shown": {which: case_id for which, case_id, _ in cases},
        "scores": [spread.to_json() for spread in found],
    }
    page = render(mask_page(cohort, table, found, overlays, strays, read)).encode()
    with step:
        write_results(out, rows)
        write_json(out / "summary.json", summary)
        write_atomically(out / PAGE, page)
        if not step.done:
            step.finish({"cases": len(cohort)})
    return out / PAGE


def _overlay(
    cohort: Cohort, shown: tuple[str, str, Mapping[str, str]], masks: Mapping[str, Path], scheme: LabelScheme
) -> Overlay:
    """One of the best, median and worst cases with its mask."""
    which, case_id, texts = shown
    case, mask = cohort[case_id].load(), read_labels(masks[case_id], scheme)
    return Overlay(f"The {which} case, {case_id}", case.images, case.require_labels(), mask, texts)


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
