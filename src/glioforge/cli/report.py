"""`glioforge report`: the report of a finished study, written again."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = ("glioforge report run",)


def report(folder: Annotated[Path, typer.Argument(help="Folder of a finished study.", metavar="STUDY")]) -> None:
    """Write the report of a finished study again, from its stored results."""
    from glioforge.cli.progress import TerminalProgress
    from glioforge.studies.engine import write_report

    page = write_report(folder, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
