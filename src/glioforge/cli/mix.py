"""`glioforge mix`: mixed cases of real ones, without a network."""

from typing import Annotated

import typer

from glioforge.cli.options import CohortFolder, Count, DryRun, Out, Seed, Set, Where, Workers

EXAMPLES = (
    "glioforge mix prepared --kind tumour_paste --out pasted --count 3",
    "glioforge mix prepared --kind cutmix --out boxes",
)


def mix(
    cohort: CohortFolder,
    out: Out,
    kind: Annotated[
        str,
        typer.Option("--kind", help="Way of mixing: carvemix, class_contrast, cutmix or tumour_paste.", metavar="KIND"),
    ],
    where: Where = None,
    count: Count = 1,
    seed: Seed = 1,
    workers: Workers = 1,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Mix real prepared cases of different subjects into new ones, without a network."""
    from glioforge.cli.cohorts import describe
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.config import parse_spec, resolved_yaml, with_overrides
    from glioforge.core import select_cases
    from glioforge.io import read_cohort
    from glioforge.mixing import MIXINGS, mix_cohort

    values = with_overrides({"kind": kind}, overrides or ())
    spec = parse_spec(values, MIXINGS.spec_class(kind), f"mixing {kind}")
    parents = select_cases(read_cohort(cohort), where or ())
    if dry_run:
        typer.echo(resolved_yaml(spec))
        return
    mixed = mix_cohort(
        parents,
        spec,
        out,
        count=count,
        seed=seed,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    typer.echo(describe(mixed))
