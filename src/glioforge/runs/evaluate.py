"""Judge any folder of masks against a cohort, as a table, a summary for programs and a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.label_source import LabelSource
from glioforge.core.labels import LabelScheme
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
from glioforge.report.compare import with_mean_region
from glioforge.report.distribution_table import Spread, spread_table, spreads
from glioforge.report.html import render
from glioforge.report.method_figures import method_plot
from glioforge.report.overlays import Overlay, extreme_cases, outline_legend, overlay_grid, texts_of
from glioforge.report.page import Block, Figure, Folded, Note, Paragraph, Report, Section
from glioforge.report.plots import SLICE_CONVENTION
from glioforge.report.tables import subject_table
from glioforge.segmentation.evaluate import evaluate_predictions
from glioforge.segmentation.mask_scheme import source_of_masks
from glioforge.segmentation.masks import find_masks, stray_masks

MEAN = "mean"
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
    found = spreads(with_mean_region(rows, regions, MEAN), name, (*regions, MEAN))
    cases = extreme_cases(rows, name, regions)
    overlays = _overlays(rows, cohort, cases, masks, scheme_named(source.scheme))
    summary = {
        "masks": name,
        "cohort": cohort.name,
        "fingerprint": cohort.fingerprint,
        "cases": len(cohort),
        "scheme": source.to_json(),
        "truth": (cohort.source or LabelSource(cohort.scheme.name, "")).to_json(),
        "subjects": len(cohort.subject_ids),
        "masks_of_no_case": strays,
        "shown": dict(cases),
        "scores": [spread.to_json() for spread in found],
    }
    page = render(_report(cohort, rows, found, overlays, strays, read)).encode()
    with step:
        write_results(out, rows)
        write_json(out / "summary.json", summary)
        write_atomically(out / PAGE, page)
        if not step.done:
            step.finish({"cases": len(cohort)})
    return out / PAGE


def _report(
    cohort: Cohort,
    rows: Sequence[ResultRow],
    found: Sequence[Spread],
    overlays: Sequence[Overlay],
    strays: Sequence[str],
    read: str,
) -> Report:
    """Scores over all cases, the spread, best to worst cases, and every subject."""
    name, regions = rows[0].arm if rows else "masks", _regions(rows)
    arms = {name: name}
    warnings = (Note(_stray_text(strays), "warning"),) if strays else ()
    plots = tuple(
        Figure(
            method_plot(rows, arms, regions, metric),
            f"{title} of every subject (grey) with the mean and its 95 % interval.",
            f"{title} of each subject in each region",
        )
        for metric, title in (("dice", "Dice"), ("hd95", "HD95"))
    )
    more = Folded("All metrics", (spread_table(found),))
    tables = tuple(
        Folded(f"{region}, {title}", (subject_table(rows, arms, region, metric),))
        for metric, title in (("dice", "Dice"), ("hd95", "HD95"))
        for region in regions
    )
    return Report(
        f"Masks of {name} against {cohort.name}",
        _lead(cohort, found),
        (
            Section(
                "Scores",
                (
                    *warnings,
                    Paragraph(f"{read[0].upper()}{read[1:]}."),
                    spread_table([s for s in found if s.metric in MAIN]),
                    *plots,
                    more,
                ),
            ),
            Section("Best, median and worst cases", _case_blocks(overlays, regions)),
            Section("Every subject", (Paragraph("Mean over a subject's cases."), *tables)),
        ),
    )


def _lead(cohort: Cohort, found: Sequence[Spread]) -> str:
    """How many cases, and the Dice of each region."""
    few = too_few(len(cohort.subject_ids))
    count = f"{len(cohort)} cases of {len(cohort.subject_ids)} subjects{f' ({few})' if few else ''}."
    dice = [s for s in found if s.metric == "dice"]
    told = ", ".join(_dice_text(spread) for spread in dice)
    missed = [f"{s.empty[1]} in {s.region}" for s in dice if s.empty[1]]
    misses = f" Masks that miss the whole region: {', '.join(missed)}." if missed else ""
    return f"{count} Mean Dice: {told}.{misses}" if told else count


def _regions(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """Regions that were judged, in the order of the rows."""
    return tuple(dict.fromkeys(row.region for row in rows)) or REGIONS


def _dice_text(spread: Spread) -> str:
    """Mean Dice of a region; without one where no case has the region, for then it only says what was not painted."""
    if spread.empty[0] + spread.empty[2] == spread.cases:
        return f"{spread.region} undefined (no case has it)"
    return f"{spread.region} {spread.mean.estimate:.3f} (median {spread.quartiles[1]:.3f})"


def _case_blocks(overlays: Sequence[Overlay], regions: Sequence[str]) -> tuple[Block, ...]:
    """Legend and pictures."""
    if not overlays:
        return (Paragraph("There is no case."),)
    caption = (
        "Cases with the highest, median and lowest mean Dice over regions; slice with the largest true lesion, or the "
        f"largest predicted one where none is true. {SLICE_CONVENTION}"
    )
    return (
        Figure(outline_legend(), "Colours of the outlines.", "Legend of the outlines' colours"),
        Figure(overlay_grid(overlays, regions), caption, "Outlines of truth and prediction over scans"),
    )


def _overlays(
    rows: Sequence[ResultRow],
    cohort: Cohort,
    cases: Sequence[tuple[str, str]],
    masks: Mapping[str, Path],
    scheme: LabelScheme,
) -> list[Overlay]:
    """Best, median and worst case with their masks."""
    overlays = []
    for place, case_id in cases:
        case = cohort[case_id].load()
        texts = texts_of(rows, rows[0].arm, case_id, _regions(rows))
        mask = read_labels(masks[case_id], scheme)
        overlays.append(Overlay(f"{place}\n{case_id}", case.images, case.require_labels(), mask, texts))
    return overlays


def _stray_text(strays: Sequence[str]) -> str:
    """Which masks were passed over."""
    more = f" and {len(strays) - 10} more" if len(strays) > 10 else ""
    return f"Files that belong to no case of the cohort and were not judged: {', '.join(strays[:10])}{more}."
