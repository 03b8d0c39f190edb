"""Judge any folder of masks against a cohort, as a table, a summary for programs and a page."""

from collections.abc import Mapping
from pathlib import Path

from glioforge.core import Cohort, LabelScheme, LabelSource, Progress, Silent, scheme_named
from glioforge.io import (
    CSV,
    MASKS,
    Step,
    hash_of_file,
    read_labels,
    require_kind,
    write_atomically,
    write_json,
    write_results,
)
from glioforge.report import MEAN, Overlay, ResultTable, extreme_cases, render, spreads
from glioforge.runs.mask_page import mask_page, noun_of, regions_of, stray_text
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
