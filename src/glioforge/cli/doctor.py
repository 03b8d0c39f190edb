"""`glioforge doctor`: all problems of a folder of scans at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glioforge.cli.options import FollowLinks, Layout, MaybeOut, Scheme, Where, Workers

if TYPE_CHECKING:
    from glioforge.data import Diagnosis

EXAMPLES = ("glioforge doctor scans --out checked",)


def doctor(
    folder: Annotated[Path, typer.Argument(help="Folder of scans; only read, never changed.", metavar="FOLDER")],
    out: MaybeOut = None,
    layout: Layout = None,
    scheme: Scheme = None,
    where: Where = None,
    spacing: Annotated[
        float | None,
        typer.Option(
            "--spacing",
            help="Planned voxel size in mm; reports lesions that would be lost at this size.",
            min=0,
            metavar="MM",
            show_default="none: not checked",
        ),
    ] = None,
    follow_links: FollowLinks = False,
    workers: Workers = 1,
) -> None:
    """Check every scan and list all problems with remedies; with --out also in OUT/doctor.html and OUT/doctor.json.

    Exits with 1 if there are errors.
    """
    from glioforge.cli.cohorts import layout_from
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.data import examine
    from glioforge.runs import diagnosis_step, headline, write_diagnosis

    if out is not None:
        diagnosis_step(folder, out)
    diagnosis = examine(
        folder,
        layout_from(layout, follow_links=follow_links),
        scheme=scheme,
        where=where or (),
        spacing_mm=spacing or None,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    _print(diagnosis)
    typer.echo(headline(diagnosis))
    if out is not None:
        page = write_diagnosis(diagnosis, out)
        typer.echo(f"written {page} and {page.with_suffix('.json')}")
    raise typer.Exit(1 if diagnosis.count("error") else 0)


def _print(diagnosis: "Diagnosis") -> None:
    """Print one row for each kind of finding."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from glioforge.runs import topics

    table = Table("Severity", "What", "Times", "Example", "What to do", show_lines=True)
    colours = {"error": "bold red", "warning": "yellow", "remark": "dim"}
    for severity, topic, times, _, example, remedy in topics(diagnosis):
        table.add_row(f"[{colours[severity]}]{severity}[/]", escape(topic), times, escape(example), escape(remedy))
    if diagnosis.findings:
        Console().print(table)
