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
    from importlib.resources import as_file, files

    from glioforge.cli.progress import TerminalProgress
    from glioforge.studies.kinds import load_study, run_study

    with as_file(files("glioforge.studies") / "demo.yaml") as path:
        settings = load_study(path, tuple(overrides or ()))
    page = run_study(settings, out, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
