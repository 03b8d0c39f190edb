"""`glioforge filter`: synthetic cases that quality filters keep, as a cohort."""

from typing import Annotated

import typer

from glioforge.cli.options import CohortFolder, Device, Out, Precision, Seed, Threads, TrainCohort, accelerator_of

EXAMPLES = (
    "glioforge filter anatomies --train prepared --filter plausible_labels --out plausible",
    "glioforge filter synthetic --train prepared --filter class_statistics --filter duplicate --out kept",
    "glioforge filter synthetic --train prepared --filter segmenter_agreement --model segmenter=segmenter --out kept",
)


def filter(  # noqa: A001 - the name of the verb
    cohort: CohortFolder,
    out: Out,
    train: TrainCohort,
    filters: Annotated[
        list[str],
        typer.Option(
            "--filter",
            help="A filter that `glioforge methods` lists, or a YAML file with its kind and settings; may be repeated, "
            "and cases pass the filters in this order.",
            metavar="KIND|YAML",
        ),
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="A trained model that a filter asks for: segmenter=FOLDER or encoder=FOLDER; may be repeated.",
            metavar="NAME=FOLDER",
        ),
    ] = None,
    queue: Annotated[
        int,
        typer.Option(
            "--queue",
            help="Number of kept cases, those nearest to the limits, to write as the cohort OUT/queue, for experts to "
            "accept or reject in a reading study.",
            min=0,
            metavar="N",
        ),
    ] = 0,
    seed: Seed = 1,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Fit quality filters on real training cases, and list the synthetic cases that pass all of them.

    The cases' files stay where they are.  OUT/filter.html shows the funnel with examples, and OUT/verdicts.json holds
    every verdict with its reason.
    """
    from rich.console import Console
    from rich.table import Table

    from glioforge.cli.cohorts import describe
    from glioforge.cli.progress import TerminalProgress
    from glioforge.core import funnel
    from glioforge.io import read_cohort
    from glioforge.runs import filter_cohort, filter_from, filter_models
    from glioforge.runs.filter import PAGE

    kept, verdicts = filter_cohort(
        read_cohort(cohort),
        read_cohort(train),
        [filter_from(text) for text in filters],
        out,
        models=filter_models(models or (), accelerator=accelerator_of(device, precision, threads)),
        queue=queue,
        seed=seed,
        progress=TerminalProgress(),
    )
    table = Table("after", "cases", title="Cases left")
    for stage in funnel(verdicts):
        table.add_row(stage.name, str(stage.count))
    Console().print(table)
    typer.echo(f"{describe(kept)}\npage: {out / PAGE}")
