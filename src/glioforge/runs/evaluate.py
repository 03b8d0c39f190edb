"""Judge any folder of masks against a cohort, as a table, a summary for programs and a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.label_source import LabelSource
from glioforge.core.labels import LabelScheme
from glioforge.core.names import listed
from glioforge.core.protocols import Progress, Silent
from glioforge.core.schemes import scheme_named
from glioforge.io.atomic_write import write_atomically, write_json
from glioforge.io.digest import hash_of_file
from glioforge.io.folder_kind import MASKS, require_kind
from glioforge.io.nifti import read_labels
from glioforge.io.run_folder import Step
from glioforge.io.tables import CSV, ResultRow, write_results
from glioforge.metrics.evaluate import REGIONS
from glioforge.metrics.intervals import too_few
from glioforge.report.html import render
from glioforge.report.overlays import Overlay, extreme_cases, outline_legend, overlay_figure
from glioforge.report.page import Block, Figure, Folded, Note, Paragraph, Report, Section
from glioforge.report.plots import subject_plot
from glioforge.report.scores import MEAN, Noun, ResultTable, Spread, spreads
from glioforge.report.tables import spread_table, subject_table
from glioforge.report.words import counted
from glioforge.segmentation.evaluate import evaluate_predictions
from glioforge.segmentation.mask_scheme import source_of_masks
from glioforge.segmentation.masks import find_masks, stray_masks

PAGE = "report.html"
MAIN = ("dice", "hd95", "sensitivity", "precision")
"""Metrics of the first table."""


def evaluate_folder(
    cohort: Cohort, predictions: Path, out: Path, *, scheme: str | None = None, progress: Progress | None = None
) -> Path:
    """Judge every mask, and write `results.csv`, `results.parquet`, `summary.json` and a report.

    Args:
        cohort: Labelled cases.
        predictions: Folder of NIfTI masks named by case.
        out: Folder of the results.
        scheme: Label scheme of the masks; as `segmentation.mask_scheme` decides unless given.
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
        progress.say(_stray_text(strays))
    rows = evaluate_predictions(predictions, cohort, scheme=source.scheme, progress=progress)
    name = predictions.resolve().name
    regions = _regions(rows)
    table = ResultTable(rows, noun=_noun(cohort))
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
    page = render(_report(cohort, table, found, overlays, strays, read)).encode()
    with step:
        write_results(out, rows)
        write_json(out / "summary.json", summary)
        write_atomically(out / PAGE, page)
        if not step.done:
            step.finish({"cases": len(cohort)})
    return out / PAGE


def _report(
    cohort: Cohort,
    table: ResultTable,
    found: Sequence[Spread],
    overlays: Sequence[Overlay],
    strays: Sequence[str],
    read: str,
) -> Report:
    """Scores over all cases, the spread, best to worst cases, and every subject."""
    name, regions = next(iter(table.arms()), "masks"), _regions(table.rows)
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
        *((Note(_stray_text(strays), "warning"),) if strays else ()),
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
    noun, count = _noun(cohort), len(cohort.subject_ids)
    few = too_few(count, noun)
    where = f"{counted(len(cohort), 'case')} of {counted(count, noun)}{' (too few to conclude)' if few else ''}"
    dice = [s for s in found if s.metric == "dice"]
    if not dice:
        return f"No mask was scored: {where}."
    missed = [f"{s.empty[1]} in {s.region}" for s in dice if s.empty[1]]
    misses = f" Masks that miss the whole region: {', '.join(missed)}." if missed else ""
    return f"Mean Dice {', '.join(map(_dice_text, dice))}, on {where}.{misses}"


def _noun(cohort: Cohort) -> Noun:
    """What subjects are called: phantoms where all are."""
    return "phantom" if len(cohort) and all(ref.lineage.kind == "phantom" for ref in cohort) else "subject"


def _regions(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """Regions that were judged, in the order of the rows."""
    return tuple(dict.fromkeys(row.region for row in rows)) or REGIONS


def _dice_text(spread: Spread) -> str:
    """Mean Dice of a region; without one where no case has the region, for then it only says what was not painted."""
    if spread.empty[0] + spread.empty[2] == spread.cases:
        return f"{spread.region} undefined (no case has it)"
    return f"{spread.region} {spread.mean.estimate:.3f} (median {spread.quartiles[1]:.3f})"


def _overlay(
    cohort: Cohort, shown: tuple[str, str, Mapping[str, str]], masks: Mapping[str, Path], scheme: LabelScheme
) -> Overlay:
    """One of the best, median and worst cases with its mask."""
    which, case_id, texts = shown
    case, mask = cohort[case_id].load(), read_labels(masks[case_id], scheme)
    return Overlay(f"The {which} case, {case_id}", case.images, case.require_labels(), mask, texts)


def _stray_text(strays: Sequence[str]) -> str:
    """Which masks were passed over."""
    return f"Files that belong to no case of the cohort and were not judged: {listed(strays, 10)}."
