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
    from glioforge.cli.study import show_plan
    from glioforge.studies import load_demo, run_study

    settings = load_demo((*(overrides or ()), *accelerator_sets(device, precision, threads)))
    if dry_run:
        show_plan(settings, out, None, None)
        return
    page = run_study(settings, out, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
