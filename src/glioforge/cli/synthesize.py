"""`glioforge synthesize`: whole synthetic volumes from a trained generator and a cohort's label maps."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import CohortFolder, Device, Out, Precision, Seed, Threads, Workers, accelerator_of


def synthesize(
    run: Annotated[Path, typer.Argument(help="Folder of a trained synthesizer.", metavar="RUN")],
    cohort: CohortFolder,
    out: Out,
    recipe: Annotated[Path | None, typer.Option("--recipe", help="YAML of lesion edits; none keeps the maps.")] = None,
    count: Annotated[int, typer.Option("--count", help="Synthetic cases for each case of the cohort.", min=1)] = 1,
    seed: Seed = 1,
    workers: Workers = 1,
    scheme: Annotated[
        str | None,
        typer.Option("--scheme", help="Label scheme of the exported NIfTI; that of the cohort's files unless given."),
    ] = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    nifti: Annotated[bool, typer.Option("--nifti/--no-nifti", help="Also export BraTS-layout NIfTI.")] = True,
) -> None:
    """Make synthetic cases; every file says that it is synthetic and who stands behind it."""
    from glioforge.cli.cohorts import describe
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute.fanout import FanOutSpec
    from glioforge.config.load import load_spec
    from glioforge.core.schemes import scheme_named
    from glioforge.io.cohort_file import read_cohort
    from glioforge.io.run_accelerator import remembered
    from glioforge.lesions.recipe import RecipeSpec
    from glioforge.studies.synthetic import make_synthetic
    from glioforge.synthesis.base import load_synthesizer
    from glioforge.synthesis.compose import export_cohort

    made = make_synthetic(
        load_synthesizer(run, remembered(accelerator_of(device, precision, threads), out)),
        read_cohort(cohort),
        load_spec(recipe, RecipeSpec) if recipe else None,
        out,
        count=count,
        seed=seed,
        fanout=FanOutSpec(workers=workers),
        progress=TerminalProgress(),
    )
    if nifti:
        export_cohort(made, out / "nifti", TerminalProgress(), scheme_named(scheme) if scheme else None)
    typer.echo(describe(made))
