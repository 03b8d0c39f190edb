"""`glioforge shadow`: train shadow models of a synthesizer, and score subjects for an audit."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import (
    ControlCohort,
    Device,
    HeldOutCohort,
    Out,
    Precision,
    Seed,
    Threads,
    TrainCohort,
    accelerator_of,
)

EXAMPLES = (
    "glioforge shadow model --train training --held-out held-out --control control --out shadow",
    "glioforge shadow model --train training --held-out held-out --control control --steps 300 --out shadow",
)


def shadow(
    model: Annotated[Path, typer.Argument(help="Folder of a trained synthesizer, written by train.", metavar="MODEL")],
    train: TrainCohort,
    held_out: HeldOutCohort,
    control: ControlCohort,
    out: Out,
    models: Annotated[int, typer.Option("--models", help="Number of shadow models, even.", metavar="N", min=16)] = 16,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", help="Steps of each training.", metavar="N", min=1, show_default="those of the synthesizer"
        ),
    ] = None,
    seed: Seed = 1,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Train shadow models of a synthesizer on halves of all subjects, and score everybody for an audit of its weights.

    Writes scores.json with the loss and the likelihood ratio of every subject.  Repeat the command to resume.
    """
    from glioforge.cli.progress import TerminalProgress
    from glioforge.io import read_cohort, require_free
    from glioforge.runs import shadow_scores
    from glioforge.synthesis import load_synthesizer

    require_free(out, "shadow")
    accelerator = accelerator_of(device, precision, threads)
    target = load_synthesizer(model, accelerator)
    budget = None if steps is None else target.spec.budget.model_copy(update={"steps": steps, "epochs": None})
    path = shadow_scores(
        target,
        out,
        train=read_cohort(train),
        held_out=read_cohort(held_out),
        control=read_cohort(control),
        models=models,
        budget=budget,
        seed=seed,
        accelerator=accelerator,
        progress=TerminalProgress(),
    )
    typer.echo(f"scores: {path.resolve()}")
