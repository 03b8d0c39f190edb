"""`glioforge view`: cases on a local page in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Port, Scheme, Where

EXAMPLES = (
    "glioforge view prepared",
    "glioforge view edited --compare prepared",
)


def view(
    path: Annotated[
        Path,
        typer.Argument(
            help="Cohort folder, folder of one prepared case, folder of scans, or image file.",
            metavar="CASE_OR_COHORT",
        ),
    ],
    compare: Annotated[
        Path | None,
        typer.Option(
            "--compare",
            help="Cohort or case shown next to it: synthetic or edited cases next to those that they were made from, "
            "or the same cases prepared in another way.",
            metavar="CASE_OR_COHORT",
        ),
    ] = None,
    case: Annotated[str | None, typer.Option("--case", help="Id of the one case to show.", metavar="CASE")] = None,
    where: Where = None,
    scheme: Scheme = None,
    port: Port = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address and leave the browser closed.")
    ] = False,
) -> None:
    """Show scans and labels in three planes in the browser, with two cohorts side by side if --compare is given.

    The page can be reached from this machine alone, and fetches nothing from outside; Ctrl-C ends it.
    """
    from glioforge.cli.progress import TerminalProgress
    from glioforge.viewer.view import view as show

    show(
        path,
        compare,
        case=case,
        where=where or (),
        scheme=scheme,
        port=port,
        browser=not no_browser,
        progress=TerminalProgress(),
    )
