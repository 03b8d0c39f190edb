"""`glioforge demo`: the main job on the built-in phantom, ending in a report."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Set


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", file_okay=False)] = Path("demo-run"),
    overrides: Set = None,
) -> None:
    """Make phantoms, train a generator, edit lesions, compare segmenters, write a report: a few minutes."""
    from glioforge.cli.progress import TerminalProgress
    from glioforge.studies.kinds import load_demo, run_study

    page = run_study(load_demo(overrides or ()), out, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
