"""`glioforge prepare`: one grid, one intensity scale, complete label maps; `glioforge export`: for other tools."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from glioforge import compute, config, core, data, io, release, runs
from glioforge.cli.cohorts import contrasts_from, describe, open_cohort
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
    WrittenScheme,
)
from glioforge.cli.progress import TerminalProgress

EXAMPLES = {
    "prepare": (
        "glioforge prepare cohort --out prepared --set grid.spacing_mm=1.5",
        "glioforge prepare scans --out prepared --workers -1",
    ),
    "export": (
        "glioforge export synthetic --as nifti --out nifti",
        "glioforge export prepared --as brats --grid prepared --modalities t1,flair --out brats",
        "glioforge export prepared synthetic --as nnunet --out mixed",
    ),
}


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
    from glioforge.data import prepare as run

    settings = config.load_spec(spec, data.PrepareSpec, overrides or ())
    if allow_missing:
        settings = settings.model_copy(update={"allow_missing": True})
    io.require_other_folder(out, folder)
    cohort = open_cohort(folder, layout, register_to, scheme, allow_missing=allow_missing, where=where)
    core.require_unprepared(cohort)
    if dry_run:
        data.require_preparable(cohort, settings, out)
        typer.echo(config.resolved_yaml(settings))
        return
    prepared = run(cohort, settings, out, parallel=compute.ParallelSpec(workers=workers), progress=TerminalProgress())
    if png is not None:
        count = data.write_png_slices(prepared, png, progress=TerminalProgress())
        typer.echo(f"{core.counted(count, 'picture')} in {png}")
    if qc is not None:
        typer.echo(f"tissue maps drawn in {runs.write_sheets(prepared, qc, progress=TerminalProgress())}")
    typer.echo(describe(prepared))


def export(
    cohorts: Annotated[
        list[Path],
        typer.Argument(help="Folders of cohorts or of scans, exported as one data set.", metavar="COHORT"),
    ],
    out: Out,
    form: Annotated[
        Literal["nifti", "brats", "nnunet", "bids"],
        typer.Option("--as", help="Format: NIfTI folders, BraTS folders, a raw data set of nnU-Net, or BIDS."),
    ],
    scheme: WrittenScheme = None,
    grid: Annotated[
        Literal["scan", "prepared"],
        typer.Option(
            "--grid", help="Grid of prepared cases: scan returns them to the grid of their scan, prepared keeps theirs."
        ),
    ] = "scan",
    modalities: Annotated[
        list[str] | None,
        typer.Option(
            "--modalities",
            help="Contrasts to write, separated by commas: t1, t1ce, t2, flair, aptw.",
            metavar="CONTRAST,...",
            show_default="all",
        ),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out",
            help="Subject to leave out, with all synthetic cases made from it; may be repeated.",
            metavar="SUBJECT",
        ),
    ] = None,
    where: Where = None,
    keep_ids: Annotated[
        bool, typer.Option("--keep-ids", help="Keep the ids of cases and subjects; they are numbered otherwise.")
    ] = False,
    workers: Workers = 1,
) -> None:
    """Export cohorts for other tools, real and synthetic cases together.

    Files are written with new headers and new names; the table of original ids is in private-OUT.
    To train nnU-Net through Glioforge, use `glioforge train` with `segmenter: nnunet`, which writes its own data set.
    """
    from glioforge.release import ID_KEY

    spec = release.ExportSpec(
        format=form,
        grid=grid,
        scheme=scheme,
        modalities=contrasts_from(modalities),
        leave_out=tuple(leave_out or ()),
        keep_ids=keep_ids,
    )
    opened = [open_cohort(folder, where=where) for folder in cohorts]
    place = release.export_cohorts(
        opened, out, spec, parallel=compute.ParallelSpec(workers=workers), progress=TerminalProgress()
    )
    typer.echo(
        f"data set in {place}"
        if keep_ids
        else f"data set in {place}; key to the ids in {release.private_folder(out) / ID_KEY}"
    )
