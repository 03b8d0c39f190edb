"""`glioforge join`: several cohorts of one scheme as one."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Out

EXAMPLES = ("glioforge join prepared others --out joined",)


def join(
    cohorts: Annotated[list[Path], typer.Argument(help="Folders of cohorts, at least two.", metavar="COHORT")],
    out: Out,
) -> None:
    """Join cohorts that were prepared with the same settings; their files stay where they are."""
    from glioforge.cli.cohorts import describe
    from glioforge.io import join_cohorts

    typer.echo(describe(join_cohorts(cohorts, out)))
