"""`glioforge segment`: label the tumours of a cohort with a trained segmenter."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Out, Workers


def segment(
    run: Annotated[Path, typer.Argument(help="Folder of a trained segmenter.", metavar="RUN")],
    folder: Annotated[Path, typer.Argument(help="A cohort folder or a folder of scans.", metavar="FOLDER")],
    out: Out,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout name or YAML for a raw folder.")] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write the probability of each class, as float NIfTI.")
    ] = False,
    workers: Workers = 1,
) -> None:
    """Write one mask a case, on the case's own grid."""
    from glioforge.cli.cohorts import open_cohort
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute.fanout import FanOutSpec
    from glioforge.studies.training_run import segment_folder

    masks = segment_folder(
        run,
        open_cohort(folder, layout),
        out,
        fanout=FanOutSpec(workers=workers),
        progress=TerminalProgress(),
        probabilities=probabilities,
    )
    typer.echo(f"{len(masks)} masks in {out}")
