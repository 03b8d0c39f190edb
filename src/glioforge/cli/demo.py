"""`glioforge demo`: the whole pipeline on phantoms, with a report."""

from pathlib import Path

import typer

from glioforge.cli.options import Device, DryRun, Out, Precision, Set, Threads, accelerator_sets

EXAMPLES = ("glioforge demo --out demo-run",)


def demo(
    out: Out = Path("demo-run"),
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Run the whole pipeline on phantoms: train a synthesizer, edit lesions, compare segmenters, write a report.

    Takes five to eight minutes on two cores; repeat the command to resume.
    """
    from glioforge.cli.progress import TerminalProgress
    from glioforge.config.load import resolved_yaml
    from glioforge.studies.engine import run_study
    from glioforge.studies.question import load_demo

    settings = load_demo((*(overrides or ()), *accelerator_sets(device, precision, threads)))
    if dry_run:
        typer.echo(resolved_yaml(settings))
        return
    page = run_study(settings, out, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
