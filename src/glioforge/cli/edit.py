"""`glioforge edit`: edited lesions, as a cohort of label maps."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import CohortFolder, Count, DryRun, Out, Preview, Recipe, Seed, Set, Where, Workers

EXAMPLES = ("glioforge edit prepared --recipe default --out edited --count 3 --preview edited/preview.png",)


def edit(
    cohort: CohortFolder,
    out: Out,
    recipe: Recipe,
    where: Where = None,
    count: Count = 1,
    seed: Seed = 1,
    donors: Annotated[
        Path | None,
        typer.Option(
            "--donors",
            help="Prepared cohort whose lesions are inserted.",
            metavar="COHORT",
            show_default="COHORT itself",
        ),
    ] = None,
    workers: Workers = 1,
    overrides: Set = None,
    preview: Preview = None,
    dry_run: DryRun = False,
) -> None:
    """Edit the lesions of prepared label maps by a recipe, and record every edit."""
    from glioforge.cli.cohorts import describe
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.config import resolved_yaml
    from glioforge.core import select_cases
    from glioforge.io import read_cohort
    from glioforge.lesions import edits_step, load_recipe
    from glioforge.lesions.edit_cohort import edit_cohort

    settings = load_recipe(recipe, overrides or ())
    parents = select_cases(read_cohort(cohort), where or ())
    others = None if donors is None else read_cohort(donors)
    if dry_run:
        edits_step(parents, settings, out, count=count, donors=others, seed=seed)
        typer.echo(resolved_yaml(settings))
        return
    edited = edit_cohort(
        parents,
        settings,
        out,
        count=count,
        seed=seed,
        donors=others,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    if preview is not None:
        from glioforge.lesions import preview_cohort

        preview_cohort(parents, edited, preview)
    typer.echo(describe(edited))
