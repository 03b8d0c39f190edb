"""`glioforge fidelity` and `filter`: synthetic cases compared with real ones, and those that filters keep."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge import compute, config, core, io, runs
from glioforge.cli.cohorts import describe
from glioforge.cli.options import (
    CohortFolder,
    Device,
    Out,
    Precision,
    Seed,
    Threads,
    TrainCohort,
    Workers,
    accelerator_of,
)
from glioforge.cli.progress import TerminalProgress

EXAMPLES = {
    "fidelity": (
        "glioforge fidelity synthetic held-out --out fidelity",
        "glioforge fidelity synthetic held-out --features random_convolution,encoder --encoder training --out fidelity",
    ),
    "filter": (
        "glioforge filter anatomies --train prepared --filter plausible_labels --out plausible",
        "glioforge filter synthetic --train prepared --filter class_statistics --filter duplicate --out kept",
        (
            "glioforge filter synthetic --train prepared --filter segmenter_agreement "
            "--model segmenter=segmenter --out kept"
        ),
    ),
}


def fidelity(
    synthetic: Annotated[Path, typer.Argument(help="Folder of prepared synthetic cases.", metavar="SYNTHETIC")],
    real: Annotated[Path, typer.Argument(help="Folder of prepared real cases to compare with.", metavar="REAL")],
    out: Out,
    features: Annotated[
        str,
        typer.Option(
            "--features",
            help="Spaces of features, separated by commas: random_convolution, radiomics, encoder.",
            metavar="NAMES",
        ),
    ] = "random_convolution,radiomics",
    encoder: Annotated[
        Path | None,
        typer.Option(
            "--encoder",
            help="Prepared cohort of training subjects, on which the encoder of --features encoder is trained.",
            metavar="COHORT",
            show_default="none",
        ),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", help="Random halves of each number.", metavar="N", min=20)] = 50,
    training_subjects: Annotated[
        bool,
        typer.Option(
            "--training-subjects",
            help="Also compare with real subjects who contributed to the synthetic cases; the page says so.",
        ),
    ] = False,
    seed: Seed = 1,
    workers: Workers = 1,
) -> None:
    """Measure how synthetic cases differ from real ones, and what two halves of the real ones differ by.

    Distances, coverage, variety, label and lesion statistics, and two-sample tests, as a table, JSON and a page.
    """
    from rich.console import Console

    from glioforge.runs.fidelity import FIDELITY_JSON, fidelity as compare

    io.require_free(out, "fidelity")
    given = {
        "features": [name.strip() for name in features.split(",") if name.strip()],
        "draws": draws,
        "training_subjects": training_subjects,
        "seed": seed,
    }
    page = compare(
        io.read_cohort(synthetic),
        io.read_cohort(real),
        out,
        spec=config.parse_spec(given, runs.FidelitySpec, where="--features"),
        encoder=io.read_cohort(encoder) if encoder else None,
        parallel=compute.ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    Console().print(shown(out / FIDELITY_JSON))
    typer.echo(f"results and page: {page.resolve()}")


def shown(path: Path) -> "object":
    """The numbers as a table for the terminal."""
    from rich.table import Table

    table = Table("Number", "Synthetic to real", "Real to real", "Usual", "Subjects a side")
    for row in io.read_json(path)["numbers"]:
        usual = row["floor_low"] <= row["value"] <= row["floor_high"]
        floor = f"{row['floor']:.3g} ({row['floor_low']:.3g} to {row['floor_high']:.3g})"
        value = f"{row['value']:.3g} ({row['low']:.3g} to {row['high']:.3g})"
        table.add_row(row["name"], value, floor, "yes" if usual else "no", str(row["subjects"]))
    return table


def filter(  # noqa: A001 - the name of the verb
    cohort: CohortFolder,
    out: Out,
    train: TrainCohort,
    filters: Annotated[
        list[str],
        typer.Option(
            "--filter",
            help="A filter that `glioforge methods` lists, or a YAML file such as `filter: {kind: duplicate}`; may be "
            "repeated, and cases pass the filters in this order.",
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

    from glioforge.runs import FILTER_PAGE

    kept, verdicts = runs.filter_cohort(
        io.read_cohort(cohort),
        io.read_cohort(train),
        [runs.filter_from(text) for text in filters],
        out,
        models=runs.filter_models(models or (), accelerator=accelerator_of(device, precision, threads)),
        queue=queue,
        seed=seed,
        progress=TerminalProgress(),
    )
    table = Table("after", "cases", title="Cases left")
    for stage in core.funnel(verdicts):
        table.add_row(stage.name, str(stage.count))
    Console().print(table)
    typer.echo(f"{describe(kept)}\npage: {out / FILTER_PAGE}")
