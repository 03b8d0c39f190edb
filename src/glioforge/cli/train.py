"""`glioforge train`: train one synthesizer, sampler or segmenter on a prepared cohort."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import CohortFolder, Device, DryRun, Out, Precision, Set, Threads, Where, accelerator_sets

EXAMPLES = (
    "glioforge train spade.yaml prepared --out synthesizer --estimate",
    "glioforge train spade.yaml prepared --out synthesizer",
    "glioforge train unet.yaml prepared --where grade=HGG --out segmenter",
)


def train(
    spec: Annotated[
        Path,
        typer.Argument(
            help="YAML file of one line or more, such as `synthesizer: {kind: spade}`, `sampler: {kind: label_vae}` or "
            "`segmenter: {kind: unet}`; `glioforge methods` lists the kinds.",
            metavar="YAML",
        ),
    ],
    cohort: CohortFolder,
    out: Out,
    where: Where = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    overrides: Set = None,
    dry_run: DryRun = False,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate", help="Measure parameters, memory and time with a few steps and stop; writes nothing."
        ),
    ] = False,
) -> None:
    """Train a synthesizer, a sampler or a segmenter; repeat the command to resume."""
    from glioforge.cli.progress import TerminalProgress
    from glioforge.config import load_spec, resolved_yaml
    from glioforge.core import select_cases
    from glioforge.io import read_cohort
    from glioforge.runs import (
        TrainingRunSpec,
        estimate_training,
        preparation_note,
        require_trainable,
        run_training,
        with_own_budget,
    )

    settings = load_spec(spec, TrainingRunSpec, [*(overrides or ()), *accelerator_sets(device, precision, threads)])
    cases = select_cases(read_cohort(cohort), where or ())
    if note := preparation_note(cases, settings):
        typer.echo(f"warning: {note}", err=True)
    if dry_run:
        require_trainable(settings, cases, out)
        typer.echo(resolved_yaml(with_own_budget(settings)))
        return
    if estimate:
        found = estimate_training(cases, settings)
        typer.echo("\n".join(found.lines()) if found else "no network: trained in seconds, in little memory")
        return
    typer.echo(run_training(cases, settings, out, progress=TerminalProgress()))
