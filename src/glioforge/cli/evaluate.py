"""`glioforge evaluate`: compare a folder of masks with a cohort's labels."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Out


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of NIfTI masks named by case.")],
    cohort: Annotated[Path, typer.Argument(help="A cohort folder or a folder of scans.", metavar="COHORT")],
    out: Out,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout name or YAML for a raw folder.")] = None,
    scheme: Annotated[
        str | None,
        typer.Option("--scheme", help="Label scheme of the masks; decided by masks.json, dataset.json or the truth."),
    ] = None,
    truth_scheme: Annotated[
        str | None, typer.Option("--truth-scheme", help="Label scheme of COHORT's label files, for a raw folder.")
    ] = None,
) -> None:
    """Dice, HD95, sensitivity, precision a case and region, with a written policy for empty masks."""
    from glioforge.cli.cohorts import open_cohort
    from glioforge.cli.progress import TerminalProgress
    from glioforge.studies.evaluation import evaluate_folder

    truth = open_cohort(cohort, layout, scheme=truth_scheme)
    page = evaluate_folder(predictions, truth, out, scheme=scheme, progress=TerminalProgress())
    typer.echo(f"results and report: {page.resolve()}")
