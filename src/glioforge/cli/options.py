"""Options that several verbs share, each written once."""

from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from glioforge import compute
from glioforge.core import Modality

if TYPE_CHECKING:
    from glioforge.compute import AcceleratorSpec


def _some_workers(value: int | None) -> int | None:
    """Refuse 0 workers, which would do nothing."""
    if value == 0:
        raise typer.BadParameter("0 workers do nothing: give a number of processes, or -1 for all cores")
    return value


def _with_default(option: Any, shown: str) -> Any:  # noqa: ANN401 - typer's own class
    """Copy an option, with a text that help shows as its default."""
    changed = copy(option)
    changed.show_default = shown
    return changed


_OUT = typer.Option("--out", help="Output folder; created if missing.", file_okay=False, metavar="DIR")
Out = Annotated[Path, _OUT]
MaybeOut = Annotated[Path | None, _with_default(_OUT, "none: problems are only printed")]
ScoreOut = Annotated[Path | None, _with_default(_OUT, "with --score a folder within the study's; needed otherwise")]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        help="Append all output, debug records and tracebacks to this file, each with its time.",
        dir_okay=False,
        metavar="FILE",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also print debug records.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of all random draws.", metavar="N")]
_WORKERS = typer.Option(
    "--workers",
    help="Number of worker processes; -1 uses all cores, 1 runs in the main process.",
    min=-1,
    metavar="N",
    callback=_some_workers,
)
Workers = Annotated[int, _WORKERS]
MaybeWorkers = Annotated[int | None, _with_default(_WORKERS, "parallel.workers of the YAML, 1 if it has none")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Override one of the settings that --dry-run prints, as key.subkey=value; may be repeated.",
        metavar="KEY=VALUE",
    ),
]
HeldOutCohort = Annotated[
    Path,
    typer.Option(
        "--held-out",
        help="Prepared cohort of subjects of the same sites and years whom nothing has seen.",
        metavar="COHORT",
    ),
]
ControlCohort = Annotated[
    Path, typer.Option("--control", help="Prepared cohort of further such subjects.", metavar="COHORT")
]
OutFile = Annotated[Path, typer.Option("--out", help="ZIP file to write.", metavar="FILE", dir_okay=False)]
_SPEC = typer.Option("--spec", help="YAML file of settings.", dir_okay=False, metavar="YAML")
MaybeSpec = Annotated[Path | None, _with_default(_SPEC, "the defaults that --dry-run prints")]
Port = Annotated[
    int, typer.Option("--port", help="Port on this machine; 0 takes a free one.", min=0, max=65535, metavar="N")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check settings and inputs, print all settings and stop; writes nothing."),
]
RegisterTo = Annotated[
    Modality | None,
    typer.Option(
        "--register-to",
        help="Contrast to which the others of a case are registered where their grids differ.",
        show_default="none: differing grids are an error",
    ),
]
FollowLinks = Annotated[
    bool, typer.Option("--follow-links", help="Also follow symbolic links to folders outside the folder of scans.")
]
Scheme = Annotated[
    str | None,
    typer.Option(
        "--scheme",
        help="How to read the label files: a scheme that `glioforge methods` lists, or labels with integers such as "
        "oedema=1,enhancing=2.",
        metavar="SCHEME",
        show_default="detected, or asked for",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        help="Use only cases that fulfil this condition, such as subject=s001,s002, grade!=LGG or 'tumour_ml>10'; may "
        "be repeated. Facts are case, subject, session, kind and those of the data set; naming an unknown fact lists "
        "them.",
        metavar="FACT=VALUE",
    ),
]
MaskScheme = Annotated[
    str | None,
    typer.Option(
        "--scheme",
        help="How to read the masks: a label scheme that `glioforge methods` lists.",
        metavar="SCHEME",
        show_default="as masks.json or dataset.json next to the masks says, else as the cohort's files",
    ),
]
WrittenScheme = Annotated[
    str | None,
    typer.Option(
        "--scheme",
        help="How to write label files: a label scheme that `glioforge methods` lists.",
        metavar="SCHEME",
        show_default="as the cohort's own files",
    ),
]
AllowMissing = Annotated[
    bool,
    typer.Option("--allow-missing", help="Also use cases that lack some of the contrasts, as long as they have one."),
]
CohortFolder = Annotated[
    Path,
    typer.Argument(help="Folder of a prepared cohort, written by prepare, edit, synthesize or join.", metavar="COHORT"),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"] | None,
    typer.Option(
        "--device",
        help="Device for networks; auto uses a GPU if there is one.",
        show_default="as the YAML says, else auto",
    ),
]
Precision = Annotated[
    Literal["auto", "bf16-mixed", "32-true"] | None,
    typer.Option(
        "--precision",
        help="Precision of networks; auto is bfloat16 where the device supports it natively, else float32.",
        show_default="as the resumed run, the YAML or the trained model, else auto",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        help="CPU threads of PyTorch; accelerator.threads in a YAML.",
        metavar="N",
        min=1,
        show_default="as the resumed run or the YAML, else PyTorch's choice",
    ),
]
ScanFolder = Annotated[Path, typer.Argument(help="Cohort folder, or folder of scans.", metavar="FOLDER")]
Layout = Annotated[
    str | None,
    typer.Option(
        "--layout",
        help="Layout of the folder of scans: a name that `glioforge methods` lists, or a YAML file.",
        metavar="NAME|YAML",
        show_default="detected",
    ),
]
Count = Annotated[
    int,
    typer.Option(
        "--count", help="Number of new cases; edit, mix and synthesize make as many of each case.", metavar="N", min=1
    ),
]
Preview = Annotated[
    Path | None,
    typer.Option(
        "--preview",
        help="PNG file to draw of the first cases; edited ones before and after.",
        dir_okay=False,
        metavar="PNG",
    ),
]
TrainCohort = Annotated[
    Path,
    typer.Option(
        "--train",
        help="Prepared cohort of the real cases that generator, filters and encoders learned from; no test subject may "
        "be in it.",
        metavar="COHORT",
    ),
]
_RECIPE = typer.Option(
    "--recipe",
    help="Recipe of lesion edits: a name that `glioforge methods` lists, such as default, or a YAML file.",
    metavar="NAME|YAML",
)
Recipe = Annotated[str, _RECIPE]
MaybeRecipe = Annotated[str | None, _with_default(_RECIPE, "none: label maps as they are")]


def accelerator_sets(device: str | None, precision: str | None, threads: int | None) -> list[str]:
    """Overrides of a YAML's `accelerator`, for the options that were given."""
    given = {"device": device, "precision": precision, "threads": threads}
    return [f"accelerator.{name}={value}" for name, value in given.items() if value is not None]


def accelerator_of(device: str | None, precision: str | None, threads: int | None) -> "AcceleratorSpec":
    """The accelerator of verbs without a YAML; what is not given is left to folder, model and machine."""
    given = {"device": device, "precision": precision, "threads": threads}
    return compute.AcceleratorSpec.model_validate({name: value for name, value in given.items() if value is not None})
