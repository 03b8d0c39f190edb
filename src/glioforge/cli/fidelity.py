"""`glioforge fidelity`: compare synthetic cases with real ones."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Out, Seed, Workers

EXAMPLES = (
    "glioforge fidelity synthetic held-out --out fidelity",
    "glioforge fidelity synthetic held-out --features random_convolution,encoder --encoder training --out fidelity",
)


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

    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.config import parse_spec
    from glioforge.io import read_cohort, require_free
    from glioforge.runs import FidelitySpec
    from glioforge.runs.fidelity import JSON, fidelity as compare

    require_free(out, "fidelity")
    given = {
        "features": [name.strip() for name in features.split(",") if name.strip()],
        "draws": draws,
        "training_subjects": training_subjects,
        "seed": seed,
    }
    page = compare(
        read_cohort(synthetic),
        read_cohort(real),
        out,
        spec=parse_spec(given, FidelitySpec, where="--features"),
        encoder=read_cohort(encoder) if encoder else None,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    Console().print(shown(out / JSON))
    typer.echo(f"results and page: {page.resolve()}")


def shown(path: Path) -> "object":
    """The numbers as a table for the terminal."""
    from rich.table import Table

    from glioforge.io import read_json

    table = Table("Number", "Synthetic to real", "Real to real", "Usual", "Subjects a side")
    for row in read_json(path)["numbers"]:
        usual = row["floor_low"] <= row["value"] <= row["floor_high"]
        floor = f"{row['floor']:.3g} ({row['floor_low']:.3g} to {row['floor_high']:.3g})"
        value = f"{row['value']:.3g} ({row['low']:.3g} to {row['high']:.3g})"
        table.add_row(row["name"], value, floor, "yes" if usual else "no", str(row["subjects"]))
    return table
