"""`glioforge synthesize`, `sample` and `teach`: synthetic cases from label maps, from noise, and for teaching."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge import compute, config, core, io, lesions, runs, sampling, synthesis
from glioforge.cli.cohorts import describe
from glioforge.cli.options import (
    CohortFolder,
    Count,
    Device,
    MaybeRecipe,
    Out,
    Precision,
    Preview,
    Seed,
    Threads,
    Where,
    Workers,
    WrittenScheme,
    accelerator_of,
)
from glioforge.cli.progress import TerminalProgress
from glioforge.core import counted

EXAMPLES = {
    "synthesize": ("glioforge synthesize synthesizer prepared --recipe default --count 3 --out synthetic",),
    "sample": (
        "glioforge sample sampler --count 100 --out anatomies --preview anatomies/preview.png",
        "glioforge sample slices --count 20 --ask tumour=present --ask side=left --out left",
        "glioforge sample whole.yaml --count 100 --out cases",
    ),
    "teach": ("glioforge teach slices --count 20 --checked-by prepared --out teaching",),
}


def synthesize(
    run: Annotated[Path, typer.Argument(help="Folder of a trained synthesizer, written by train.", metavar="MODEL")],
    cohort: CohortFolder,
    out: Out,
    where: Where = None,
    recipe: MaybeRecipe = None,
    count: Count = 1,
    seed: Seed = 1,
    workers: Workers = 1,
    scheme: WrittenScheme = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    unlabelled: Annotated[
        bool,
        typer.Option(
            "--unlabelled",
            help="Also use label maps of scans that came without labels, as if their brains were healthy: a tumour in "
            "them is labelled as tissue.",
        ),
    ] = False,
    nifti: Annotated[
        bool, typer.Option("--nifti/--no-nifti", help="Also export the cases as NIfTI in BraTS layout.")
    ] = True,
) -> None:
    """Generate synthetic cases from the label maps of a cohort, edited by a recipe or as they are.

    Every NIfTI file is marked as synthetic, and every case lists its source subjects.
    """
    made = runs.make_synthetic(
        core.select_cases(io.read_cohort(cohort), where or ()),
        synthesis.load_synthesizer(run, io.remembered(accelerator_of(device, precision, threads), out)),
        lesions.load_recipe(recipe) if recipe else None,
        out,
        count=count,
        seed=seed,
        unlabelled=unlabelled,
        parallel=compute.ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    if nifti:
        synthesis.export_cohort(
            made, out / "nifti", progress=TerminalProgress(), scheme=core.scheme_named(scheme) if scheme else None
        )
    typer.echo(describe(made))


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
    preview: Preview = None,
    seed: Seed = 1,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Draw synthetic cases from noise: label maps, or slices without labels; repeat with a larger count to add some.

    A YAML file makes whole cases instead: label maps are sampled, filtered, painted, and filtered again.
    Every case lists the subjects that sampler, synthesizer and filters were trained on.
    """
    accelerator = accelerator_of(device, precision, threads)
    if run.suffix in {".yaml", ".yml"}:
        from glioforge.runs import WHOLE_PAGE

        if ask:
            raise typer.BadParameter("whole cases are not asked for by finding: choose among them with --where")
        if preview is not None:
            raise typer.BadParameter(f"whole cases have a page of their own, OUT/{WHOLE_PAGE}, in place of --preview")
        spec = config.load_spec(run, runs.WholeSpec)
        made = runs.make_whole_cases(
            spec, out, count=count, seed=seed, accelerator=accelerator, progress=TerminalProgress()
        )
        typer.echo(f"{describe(made)}\npage: {out / WHOLE_PAGE}")
        return

    sampler = sampling.load_sampler(run, io.remembered(accelerator, out)).asked(sampling.request_of(ask or ()))
    if walk is not None and preview is not None:
        raise typer.BadParameter("a walk is a picture already: leave --preview out")
    if walk is not None:
        typer.echo(f"film strip in {sampling.write_walk(sampler, out, frames=walk, along=along, seed=seed)}")
        return
    made = sampling.sample_cohort(sampler, count, out, seed=seed, progress=TerminalProgress())
    if preview is not None:
        sampling.preview_samples(made, preview)
    typer.echo(describe(made))


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
    sampler = sampling.load_sampler(run, accelerator_of(device, precision, threads))
    cohort = None if checked_by is None else io.read_cohort(checked_by)
    cases = runs.write_teaching_set(sampler, count, out, checked_by=cohort, seed=seed, progress=TerminalProgress())
    seen = sum(case.seen == "yes" for case in cases)
    found = "findings not checked" if cohort is None else f"{seen} with the finding seen"
    typer.echo(
        f"{counted(len(cases), 'case')}, {found}; questions in {out / 'questions.html'}, key in {out / 'answers.html'}"
    )
