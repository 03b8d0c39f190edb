"""`glioforge demo`: the main job on the built-in phantom, ending in a report."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Device, Precision, Set, Threads, accelerator_sets


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", file_okay=False)] = Path("demo-run"),
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    overrides: Set = None,
) -> None:
    """Make phantoms, train a generator, edit lesions, compare segmenters, write a report: a few minutes."""
    from glioforge.cli.progress import TerminalProgress
    from glioforge.studies.kinds import load_demo, run_study

    settings = load_demo((*(overrides or ()), *accelerator_sets(device, precision, threads)))
    page = run_study(settings, out, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
