"""Options that several verbs share, written once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from glioforge.core.modality import Modality

if TYPE_CHECKING:
    from glioforge.compute.accelerator import AcceleratorSpec

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
Scheme = Annotated[
    str | None,
    typer.Option(
        "--scheme",
        help="Label scheme of the label files: a name, or labels with integers such as oedema=1,enhancing=2.",
    ),
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Take cases that lack some of the contrasts, as long as they have one.")
]
CohortFolder = Annotated[
    Path, typer.Argument(help="Folder with a cohort.json (from ingest, prepare or synthesize).", metavar="COHORT")
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"] | None,
    typer.Option("--device", help="Where networks are computed; auto takes a GPU when there is one."),
]
Precision = Annotated[
    Literal["auto", "bf16-mixed", "32-true"] | None,
    typer.Option(
        "--precision",
        help="Precision of networks; auto is bfloat16 where the device computes it by itself, else float32. "
        "A begun folder keeps its own.",
    ),
]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads of torch on the CPU. A begun folder keeps its own.", min=1)
]


def accelerator_sets(device: str | None, precision: str | None, threads: int | None) -> list[str]:
    """Overrides of a YAML's `accelerator`, for the options that were given."""
    given = {"device": device, "precision": precision, "threads": threads}
    return [f"accelerator.{name}={value}" for name, value in given.items() if value is not None]


def accelerator_of(device: str | None, precision: str | None, threads: int | None) -> "AcceleratorSpec":
    """The accelerator of verbs without a YAML; what is not given is left to folder, model and machine."""
    from glioforge.compute.accelerator import AcceleratorSpec

    given = {"device": device, "precision": precision, "threads": threads}
    return AcceleratorSpec.model_validate({name: value for name, value in given.items() if value is not None})
