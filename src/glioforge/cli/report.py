"""`glioforge report`: the report of a finished study, written again, or the page of the papers."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = ("glioforge report run", "glioforge report run-han2018 run-carver reading --papers papers.html")


def report(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folder of a finished study; with --papers several, or none, and locked reading studies too.",
            metavar="STUDY",
        ),
    ] = None,
    papers: Annotated[
        Path | None,
        typer.Option(
            "--papers",
            help="Write the published tables of the five papers next to the results of these studies into this page.",
            metavar="HTML",
        ),
    ] = None,
) -> None:
    """Write the report of a finished study again, from its results; or set studies next to the papers' tables."""
    from glioforge.cli.progress import TerminalProgress

    if papers is not None:
        from glioforge.papers import by_paper, write_papers_page

        page = write_papers_page(papers, by_paper(folders or ()))
    else:
        from glioforge.studies import write_report

        if folders is None or len(folders) != 1:
            raise typer.BadParameter("give the folder of one finished study", param_hint="STUDY")
        page = write_report(folders[0], progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
