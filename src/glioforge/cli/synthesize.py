"""`glioforge synthesize`: synthetic volumes from a trained synthesizer and the label maps of a cohort."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import (
    CohortFolder,
    Count,
    Device,
    MaybeRecipe,
    Out,
    Precision,
    Seed,
    Threads,
    Where,
    Workers,
    WrittenScheme,
    accelerator_of,
)

EXAMPLES = ("glioforge synthesize synthesizer prepared --recipe default --count 3 --out synthetic",)


def synthesize(
    run: Annotated[Path, typer.Argument(help="Folder of a trained synthesizer, written by train.", metavar="MODEL")],
    cohort: CohortFolder,
    out: Out,
    where: Where = None,
    recipe: MaybeRecipe = None,
    count: Count = 1,
    seed: Seed = 1,
    workers: Workers = 1,
    scheme: WrittenScheme = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    unlabelled: Annotated[
        bool,
        typer.Option(
            "--unlabelled",
            help="Also use label maps of scans that came without labels, as if their brains were healthy: a tumour in "
            "them is labelled as tissue.",
        ),
    ] = False,
    nifti: Annotated[
        bool, typer.Option("--nifti/--no-nifti", help="Also export the cases as NIfTI in BraTS layout.")
    ] = True,
) -> None:
    """Generate synthetic cases from the label maps of a cohort, edited by a recipe or as they are.

    Every NIfTI file is marked as synthetic, and every case lists its source subjects.
    """
    from glioforge.cli.cohorts import describe
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.core import scheme_named, select_cases
    from glioforge.io import read_cohort, remembered
    from glioforge.lesions import load_recipe
    from glioforge.runs import make_synthetic
    from glioforge.synthesis import export_cohort, load_synthesizer

    made = make_synthetic(
        select_cases(read_cohort(cohort), where or ()),
        load_synthesizer(run, remembered(accelerator_of(device, precision, threads), out)),
        load_recipe(recipe) if recipe else None,
        out,
        count=count,
        seed=seed,
        unlabelled=unlabelled,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    if nifti:
        export_cohort(made, out / "nifti", progress=TerminalProgress(), scheme=scheme_named(scheme) if scheme else None)
    typer.echo(describe(made))
