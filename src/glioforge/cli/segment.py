"""`glioforge segment`: label the tumours of a cohort with a trained segmenter, or complete its label maps."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import (
    Device,
    Layout,
    Out,
    Precision,
    ScanFolder,
    Threads,
    Where,
    Workers,
    WrittenScheme,
    accelerator_of,
)

EXAMPLES = ("glioforge segment segmenter scans --out masks",)


def segment(
    run: Annotated[Path, typer.Argument(help="Folder of a trained segmenter, written by train.", metavar="MODEL")],
    folder: ScanFolder,
    out: Out,
    layout: Layout = None,
    where: Where = None,
    scheme: WrittenScheme = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write the probability of each class as float NIfTI.")
    ] = False,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="Write a cohort of label maps with normal tissue in place of masks: tissue from the segmenter, tumour "
            "from the cases' own labels.",
        ),
    ] = False,
    mask_tumour: Annotated[
        bool,
        typer.Option(
            "--mask-tumour",
            help="With --complete: show the segmenter the mean intensity of normal brain in place of the tumour.",
        ),
    ] = False,
    workers: Workers = 1,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Segment the tumours of a cohort or of scans: one mask per case, on the grid of its scans.

    Worker processes share the preparation of scans; the segmenter runs in the main process.
    """
    from glioforge.cli.cohorts import describe, open_cohort
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.core import SpecError, counted, described, scheme_named
    from glioforge.io import SEGMENTER, require_kind
    from glioforge.runs import complete_folder, segment_folder
    from glioforge.segmentation import written_scheme

    if complete and probabilities:
        raise SpecError("--complete with --probabilities", "one of them", "give two commands with two folders")
    if mask_tumour and not complete:
        raise SpecError("--mask-tumour without --complete", "both", "leave it out: masks need tumours")
    require_kind(run, SEGMENTER)
    cohort = open_cohort(folder, layout, where=where)
    accelerator = accelerator_of(device, precision, threads)
    if complete:
        made = complete_folder(
            cohort,
            run,
            out,
            mask_tumour=mask_tumour,
            parallel=ParallelSpec(workers=workers),
            accelerator=accelerator,
            progress=TerminalProgress(),
        )
        typer.echo(f"{describe(made)}\nhow plausible the tissue is: {out / 'results.csv'}, {out / 'tissue.json'}")
        return
    masks = segment_folder(
        cohort,
        run,
        out,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
        probabilities=probabilities,
        scheme=scheme_named(scheme) if scheme else None,
        accelerator=accelerator,
    )
    typer.echo(f"{counted(len(masks), 'mask')} in {out}, labels {described(written_scheme(out))}")
