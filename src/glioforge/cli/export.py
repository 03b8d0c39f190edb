"""`glioforge export`: cohorts as a data set for other tools."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from glioforge.cli.options import Out, Where, Workers, WrittenScheme

EXAMPLES = (
    "glioforge export synthetic --as nifti --out nifti",
    "glioforge export prepared --as brats --grid prepared --modalities t1,flair --out brats",
    "glioforge export prepared synthetic --as nnunet --out mixed",
)


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
    from glioforge.cli.cohorts import contrasts_from, open_cohort
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.release import ExportSpec, export_cohorts, private_folder
    from glioforge.release.export import KEY

    spec = ExportSpec(
        format=form,
        grid=grid,
        scheme=scheme,
        modalities=contrasts_from(modalities),
        leave_out=tuple(leave_out or ()),
        keep_ids=keep_ids,
    )
    opened = [open_cohort(folder, where=where) for folder in cohorts]
    place = export_cohorts(opened, out, spec, parallel=ParallelSpec(workers=workers), progress=TerminalProgress())
    typer.echo(
        f"data set in {place}" if keep_ids else f"data set in {place}; key to the ids in {private_folder(out) / KEY}"
    )
