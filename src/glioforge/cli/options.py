"""Options that several verbs share, written once."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.core.modality import Modality

Out = Annotated[Path, typer.Option("--out", help="Folder to write; made when absent.", file_okay=False)]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random draw.")]
Workers = Annotated[int, typer.Option("--workers", help="Processes; -1 is one a core.", min=-1)]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override one key: a.b=c. May be given several times.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the resolved settings and stop.")]
RegisterTo = Annotated[
    Modality | None,
    typer.Option("--register-to", help="Contrast that the others of a case are registered to, where grids differ."),
]
FollowLinks = Annotated[
    bool, typer.Option("--follow-links", help="Also read linked folders that lead out of the folder of scans.")
]
CohortFolder = Annotated[
    Path, typer.Argument(help="Folder with a cohort.json (from ingest, prepare or synthesize).", metavar="COHORT")
]
