"""`glioforge evaluate`: compare a folder of masks with a cohort's labels."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Layout, MaskScheme, Out, ScanFolder, Where

EXAMPLES = (
    "glioforge evaluate masks scans --out scores",
    "glioforge evaluate masks scans --where subject=s003,s007 --out scores",
)


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of NIfTI masks, named by case.", metavar="MASKS")],
    cohort: ScanFolder,
    out: Out,
    layout: Layout = None,
    where: Where = None,
    scheme: MaskScheme = None,
    truth_scheme: Annotated[
        str | None,
        typer.Option(
            "--truth-scheme",
            help="How to read the label files in FOLDER, if it holds scans: a label scheme.",
            metavar="SCHEME",
            show_default="detected",
        ),
    ] = None,
) -> None:
    """Compute Dice, HD95, sensitivity, precision and other metrics per case and region, and write a report.

    Metrics of empty masks have stated values, which the results mark; none is undefined.
    """
    from glioforge.cli.cohorts import open_cohort
    from glioforge.cli.progress import TerminalProgress
    from glioforge.io import MASKS, require_free, require_kind
    from glioforge.runs import evaluate_folder

    require_kind(predictions, MASKS)
    require_free(out, "evaluate")
    truth = open_cohort(cohort, layout, scheme=truth_scheme, where=where)
    page = evaluate_folder(truth, predictions, out, scheme=scheme, progress=TerminalProgress())
    typer.echo(f"results and report: {page.resolve()}")
