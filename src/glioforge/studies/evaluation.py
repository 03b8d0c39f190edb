"""Judge any folder of masks against a cohort, as a table and a page."""

from collections.abc import Sequence
from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.protocols import Progress
from glioforge.io.atomic_write import write_atomically
from glioforge.io.tables import ResultRow, write_results
from glioforge.metrics.evaluate import REGIONS
from glioforge.segmentation.evaluate import evaluate_predictions
from glioforge.studies.report.comparisons import scores_of
from glioforge.studies.report.content import Figure, Folded, Note, Paragraph, Report, Section
from glioforge.studies.report.figures import arm_plot
from glioforge.studies.report.html import render
from glioforge.studies.report.tables import arm_table, empty_table, subject_table


def evaluate_folder(
    predictions: Path, cohort: Cohort, out: Path, *, scheme: str | None = None, progress: Progress | None = None
) -> Path:
    """Judge every mask, and write `results.csv`, `results.parquet` and a report.

    Args:
        predictions: Folder of NIfTI masks named by case.
        cohort: Labelled cases.
        out: Folder of the results.
        scheme: Label scheme of the masks; told from the folder unless given.
        progress: Where to show progress.

    Returns:
        The report, one HTML file.

    Raises:
        InputFileError: A mask is missing, doubled, damaged or lies on another grid.
        LabelError: A value has no name in the scheme.
    """
    rows = evaluate_predictions(predictions, cohort, scheme=scheme, progress=progress)
    write_results(out, rows)
    page = out / "report.html"
    write_atomically(page, render(_report(predictions.name, cohort, rows)).encode())
    return page


def _report(name: str, cohort: Cohort, rows: Sequence[ResultRow]) -> Report:
    """Scores over all cases, the spread, and every subject."""
    arms = {name: name}
    worst = scores_of(rows, name, REGIONS[0], "dice").by_subject()
    order = sorted(worst, key=lambda subject: (worst[subject], subject))
    extremes = (
        f"Lowest {REGIONS[0]} Dice: {', '.join(order[:3])}. Highest: {', '.join(order[-3:][::-1])}." if order else ""
    )
    return Report(
        f"Masks of {name} against {cohort.name}",
        f"{len(cohort)} cases of {len(cohort.subject_ids)} subjects. {extremes}",
        (
            Section(
                "Scores",
                (
                    arm_table(rows, arms, REGIONS),
                    Figure(
                        arm_plot(rows, arms, REGIONS),
                        "Dice of every subject with the mean and its 95 % interval.",
                        "Dice of each subject in each region",
                    ),
                    Note("Scores of empty masks follow a written policy and are counted below, never left out."),
                    empty_table(rows, arms, REGIONS),
                ),
            ),
            Section(
                "Every subject",
                (
                    Paragraph("Mean over a subject's cases."),
                    *(Folded(region, (subject_table(rows, arms, region),)) for region in REGIONS),
                ),
            ),
        ),
    )
