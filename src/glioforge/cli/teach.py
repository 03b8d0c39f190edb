"""`glioforge teach`: a teaching set of synthetic slices with an answer key."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Count, Device, Out, Precision, Seed, Threads, accelerator_of
from glioforge.core import counted

EXAMPLES = ("glioforge teach slices --count 20 --checked-by prepared --out teaching",)


def teach(
    run: Annotated[
        Path, typer.Argument(help="Folder of a sampler of slices trained with conditions.", metavar="MODEL")
    ],
    out: Out,
    count: Count = 20,
    checked_by: Annotated[
        Path | None,
        typer.Option(
            "--checked-by",
            help="Prepared cohort with labels; a small network trained on its slices must see each finding.",
            metavar="COHORT",
            show_default="none: findings are not checked",
        ),
    ] = None,
    seed: Seed = 1,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Draw slices with and without tumour, of all sizes and on both sides, as questions with an answer key.

    OUT/questions.html is for the learner; OUT/answers.html and OUT/answers.csv hold the key.
    """
    from glioforge.cli.progress import TerminalProgress
    from glioforge.io import read_cohort
    from glioforge.runs import write_teaching_set
    from glioforge.sampling import load_sampler

    sampler = load_sampler(run, accelerator_of(device, precision, threads))
    cohort = None if checked_by is None else read_cohort(checked_by)
    cases = write_teaching_set(sampler, count, out, checked_by=cohort, seed=seed, progress=TerminalProgress())
    seen = sum(case.seen == "yes" for case in cases)
    found = "findings not checked" if cohort is None else f"{seen} with the finding seen"
    typer.echo(
        f"{counted(len(cases), 'case')}, {found}; questions in {out / 'questions.html'}, key in {out / 'answers.html'}"
    )
