"""`glioforge audit`: attack a synthetic release, and say whether it may leave the house; `shadow`: models for it."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge import compute, config, io, privacy, runs, synthesis
from glioforge.cli.options import (
    ControlCohort,
    Device,
    DryRun,
    HeldOutCohort,
    MaybeSpec,
    Out,
    Precision,
    Seed,
    Set,
    Threads,
    TrainCohort,
    Workers,
    accelerator_of,
)
from glioforge.cli.progress import TerminalProgress

EXAMPLES = {
    "audit": (
        "glioforge audit synthetic --train training --held-out held-out --control control --out audit",
        "glioforge audit synthetic --train training --held-out held-out --control control --dry-run --out audit",
    ),
    "shadow": (
        "glioforge shadow model --train training --held-out held-out --control control --out shadow",
        "glioforge shadow model --train training --held-out held-out --control control --steps 300 --out shadow",
    ),
}


BLOCKED = {"FAIL": 4, "INCONCLUSIVE": 5}
"""Exit codes of verdicts that block a release."""


def audit(
    synthetic: Annotated[Path, typer.Argument(help="Folder of filtered synthetic cases.", metavar="SYNTHETIC")],
    train: TrainCohort,
    held_out: HeldOutCohort,
    control: ControlCohort,
    out: Out,
    spec: MaybeSpec = None,
    overrides: Set = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores",
            help="JSON file of scores of the model by attack and subject, larger for members; needed with "
            "weights_released.",
            metavar="JSON",
            dir_okay=False,
            show_default="none",
        ),
    ] = None,
    workers: Workers = 1,
    dry_run: DryRun = False,
) -> None:
    """Attack a synthetic release with what its recipients may hold, and say PASS, FAIL or INCONCLUSIVE.

    Sizes that the audit needs are printed first, and its rules are registered before it looks.  FAIL exits with 4,
    INCONCLUSIVE with 5, and both block a release.
    """
    from glioforge.runs.audit import AUDIT_PAGE, audit as attack

    io.require_free(out, "audit")
    given = config.load_spec(spec, privacy.AuditSpec, overrides or ())
    release, seen, unseen, others = (io.read_cohort(folder) for folder in (synthetic, train, held_out, control))
    if dry_run:
        typer.echo(f"{config.resolved_yaml(given)}{runs.planned_audit(release, seen, unseen, others, given)}")
        return
    found = attack(
        release,
        out,
        train=seen,
        held_out=unseen,
        control=others,
        spec=given,
        model=runs.scores_from(scores) if scores else None,
        parallel=compute.ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    typer.echo(found.sentence)
    typer.echo(f"page, summary and quarantine: {(out / AUDIT_PAGE).resolve()}")
    if found.verdict in BLOCKED:
        raise typer.Exit(BLOCKED[found.verdict])


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
    io.require_free(out, "shadow")
    accelerator = accelerator_of(device, precision, threads)
    target = synthesis.load_synthesizer(model, accelerator)
    budget = None if steps is None else target.spec.budget.model_copy(update={"steps": steps, "epochs": None})
    path = runs.shadow_scores(
        target,
        out,
        train=io.read_cohort(train),
        held_out=io.read_cohort(held_out),
        control=io.read_cohort(control),
        models=models,
        budget=budget,
        seed=seed,
        accelerator=accelerator,
        progress=TerminalProgress(),
    )
    typer.echo(f"scores: {path.resolve()}")
