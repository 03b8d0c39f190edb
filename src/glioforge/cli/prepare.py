"""`glioforge prepare`: one grid, one intensity scale, complete label maps."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import (
    AllowMissing,
    DryRun,
    Layout,
    MaybeSpec,
    Out,
    RegisterTo,
    ScanFolder,
    Scheme,
    Set,
    Where,
    Workers,
)

EXAMPLES = (
    "glioforge prepare cohort --out prepared --set grid.spacing_mm=1.5",
    "glioforge prepare scans --out prepared --workers -1",
)


def prepare(
    folder: ScanFolder,
    out: Out,
    spec: MaybeSpec = None,
    layout: Layout = None,
    where: Where = None,
    scheme: Scheme = None,
    register_to: RegisterTo = None,
    allow_missing: AllowMissing = False,
    workers: Workers = 1,
    png: Annotated[
        Path | None,
        typer.Option("--png", help="Also write every axial slice as 16-bit PNG into this folder.", metavar="DIR"),
    ] = None,
    qc: Annotated[
        Path | None,
        typer.Option(
            "--qc",
            help="Also draw the tissue map of each case, and a page of all of them, into this folder.",
            metavar="DIR",
        ),
    ] = None,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Bring every case to one orientation, voxel grid and intensity scale, and label its normal tissue."""
    from glioforge.cli.cohorts import describe, open_cohort
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.config import load_spec, parse_spec, resolved_yaml, with_overrides
    from glioforge.core import counted, require_unprepared
    from glioforge.data import PrepareSpec, require_preparable, write_png_slices
    from glioforge.data.prepare.pipeline import prepare as run
    from glioforge.io import require_other_folder

    sets = overrides or ()
    settings = load_spec(spec, PrepareSpec, sets) if spec else parse_spec(with_overrides({}, sets), PrepareSpec)
    if allow_missing:
        settings = settings.model_copy(update={"allow_missing": True})
    require_other_folder(out, folder)
    cohort = open_cohort(folder, layout, register_to, scheme, allow_missing=allow_missing, where=where)
    require_unprepared(cohort)
    if dry_run:
        require_preparable(cohort, settings, out)
        typer.echo(resolved_yaml(settings))
        return
    prepared = run(cohort, settings, out, parallel=ParallelSpec(workers=workers), progress=TerminalProgress())
    if png is not None:
        count = write_png_slices(prepared, png, progress=TerminalProgress())
        typer.echo(f"{counted(count, 'picture')} in {png}")
    if qc is not None:
        from glioforge.runs import write_sheets

        typer.echo(f"tissue maps drawn in {write_sheets(prepared, qc, progress=TerminalProgress())}")
    typer.echo(describe(prepared))
