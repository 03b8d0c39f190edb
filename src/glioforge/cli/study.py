"""`glioforge study`: a whole experiment from one YAML to a report."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Device, DryRun, MaybeWorkers, Out, Precision, Set, Threads, Where, accelerator_sets

EXAMPLES = ("glioforge study study.yaml --data scans --out results",)


def study(
    spec: Annotated[Path, typer.Argument(help="YAML file of the study.", metavar="YAML")],
    out: Out,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of scans or of a cohort, if the study reads one.")
    ] = None,
    where: Where = None,
    budget: Annotated[str | None, typer.Option("--budget", help="Name of one of the study's budgets.")] = None,
    workers: MaybeWorkers = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Run a whole experiment, from scans to a report, as a YAML file describes it; repeat the command to resume."""
    from glioforge.cli.progress import TerminalProgress
    from glioforge.config.load import resolved_yaml
    from glioforge.studies.engine import run_study
    from glioforge.studies.question import load_study

    sets = [*(overrides or []), *accelerator_sets(device, precision, threads)]
    sets += [] if budget is None else [f"budget={budget}"]
    sets += [] if workers is None else [f"parallel.workers={workers}"]
    settings = load_study(spec, tuple(sets))
    if where:
        settings = settings.model_copy(update={"where": tuple(where)})
    if dry_run:
        typer.echo(resolved_yaml(settings))
        return
    page = run_study(settings, out, data=data, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
