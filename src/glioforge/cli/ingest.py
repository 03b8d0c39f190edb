"""`glioforge ingest`: read and check a folder of scans, and write it as a cohort."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import AllowMissing, FollowLinks, Layout, Out, RegisterTo, Scheme, Where, Workers

EXAMPLES = ("glioforge ingest scans --out cohort",)


def ingest(
    folder: Annotated[
        Path, typer.Argument(help="Folder of scans, in a known layout or described by --layout.", metavar="FOLDER")
    ],
    out: Out,
    layout: Layout = None,
    scheme: Scheme = None,
    where: Where = None,
    register_to: RegisterTo = None,
    allow_missing: AllowMissing = False,
    follow_links: FollowLinks = False,
    workers: Workers = 1,
) -> None:
    """Find and check every scan of a folder, and list the cases in OUT/cohort.json.

    Images are neither copied nor changed.
    """
    from glioforge.cli.cohorts import describe, layout_from
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.io import ingest_folder

    cohort = ingest_folder(
        folder,
        out,
        layout_from(layout, follow_links=follow_links),
        require=() if allow_missing else None,
        register_to=register_to,
        scheme=scheme,
        where=where or (),
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    typer.echo(describe(cohort))
