"""`glioforge sample`: synthetic label maps or slices from noise, by a trained sampler."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Count, Device, Out, Precision, Seed, Threads, accelerator_of

EXAMPLES = (
    "glioforge sample sampler --count 100 --out anatomies",
    "glioforge sample slices --count 20 --ask tumour=present --ask side=left --out left",
    "glioforge sample whole.yaml --count 100 --out cases",
)


def sample(
    run: Annotated[
        Path,
        typer.Argument(
            help="Folder of a trained sampler, written by train; or a YAML file that describes whole cases.",
            metavar="MODEL|YAML",
        ),
    ],
    out: Out,
    count: Count = 1,
    ask: Annotated[
        list[str] | None,
        typer.Option(
            "--ask",
            help="Finding that every slice shall show: tumour=present, size=large, side=left; may be repeated.",
            metavar="FINDING=WORD",
        ),
    ] = None,
    walk: Annotated[
        int | None,
        typer.Option(
            "--walk",
            help="Number of slices of each walk from one draw to another; draws film strips instead of cases.",
            metavar="N",
            show_default="none",
        ),
    ] = None,
    along: Annotated[
        str | None,
        typer.Option(
            "--along",
            help="Finding that a walk moves from its least to its greatest value, while the draw stays.",
            metavar="FINDING",
            show_default="none",
        ),
    ] = None,
    seed: Seed = 1,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Draw synthetic cases from noise: label maps, or slices without labels; repeat with a larger count to add some.

    A YAML file makes whole cases instead: label maps are sampled, filtered, painted, and filtered again.
    Every case lists the subjects that sampler, synthesizer and filters were trained on.
    """
    from glioforge.cli.cohorts import describe
    from glioforge.cli.progress import TerminalProgress
    from glioforge.io import remembered

    accelerator = accelerator_of(device, precision, threads)
    if run.suffix in {".yaml", ".yml"}:
        from glioforge.config import load_spec
        from glioforge.runs import WholeSpec, make_whole_cases
        from glioforge.runs.whole import PAGE

        if ask:
            raise typer.BadParameter("whole cases are not asked for by finding: choose among them with --where")
        spec = load_spec(run, WholeSpec)
        made = make_whole_cases(spec, out, count=count, seed=seed, accelerator=accelerator, progress=TerminalProgress())
        typer.echo(f"{describe(made)}\npage: {out / PAGE}")
        return
    from glioforge.sampling import load_sampler, request_of, sample_cohort

    sampler = load_sampler(run, remembered(accelerator, out)).asked(request_of(ask or ()))
    if walk is not None:
        from glioforge.sampling import write_walk

        typer.echo(f"film strip in {write_walk(sampler, out, frames=walk, along=along, seed=seed)}")
        return
    typer.echo(describe(sample_cohort(sampler, count, out, seed=seed, progress=TerminalProgress())))
