"""`glioforge audit`: attack a synthetic release, and say whether it may leave the house; `shadow`: models for it."""

from pathlib import Path
from typing import Annotated

import typer

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
    from glioforge.compute import ParallelSpec
    from glioforge.config import load_spec, parse_spec, resolved_yaml, with_overrides
    from glioforge.io import read_cohort, require_free
    from glioforge.privacy import AuditSpec
    from glioforge.runs import planned_audit, scores_from
    from glioforge.runs.audit import PAGE, audit as attack

    require_free(out, "audit")
    sets = overrides or ()
    given = load_spec(spec, AuditSpec, sets) if spec else parse_spec(with_overrides({}, sets), AuditSpec)
    release, seen, unseen, others = (read_cohort(folder) for folder in (synthetic, train, held_out, control))
    if dry_run:
        typer.echo(f"{resolved_yaml(given)}{planned_audit(release, seen, unseen, others, given)}")
        return
    found = attack(
        release,
        out,
        train=seen,
        held_out=unseen,
        control=others,
        spec=given,
        model=scores_from(scores) if scores else None,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    typer.echo(found.sentence)
    typer.echo(f"page, summary and quarantine: {(out / PAGE).resolve()}")
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
