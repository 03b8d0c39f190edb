"""`glioforge demo`: the whole pipeline on phantoms, with a report."""

from pathlib import Path

import typer

from glioforge.cli.options import Device, Out, Precision, Set, Threads, accelerator_sets


def demo(
    out: Out = Path("demo-run"),
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    overrides: Set = None,
) -> None:
    """Run the whole pipeline on phantoms: train a synthesizer, edit lesions, compare segmenters, write a report."""
    from glioforge.cli.progress import TerminalProgress
    from glioforge.studies.kinds import load_demo, run_study

    settings = load_demo((*(overrides or ()), *accelerator_sets(device, precision, threads)))
    page = run_study(settings, out, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
