"""`glioforge edit`, `labels` and `mix`: cases of edited lesions, of drawn label maps, or mixed of real ones."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge import compute, config, core, io, labelmaps, lesions, mixing
from glioforge.cli.cohorts import describe, open_cohort
from glioforge.cli.options import (
    CohortFolder,
    Count,
    DryRun,
    MaybeSpec,
    Out,
    Preview,
    Recipe,
    Seed,
    Set,
    Where,
    Workers,
)
from glioforge.cli.progress import TerminalProgress

EXAMPLES = {
    "edit": ("glioforge edit prepared --recipe default --out edited --count 3 --preview edited/preview.png",),
    "labels": (
        "glioforge labels prepared --count 100 --out maps --preview maps/preview.png",
        (
            "glioforge labels prepared --healthy anatomies --tumours masks "
            "--tumour-scheme brats2017 --count 1000 --out maps"
        ),
    ),
    "mix": (
        "glioforge mix prepared --kind tumour_paste --out pasted --count 3",
        "glioforge mix prepared --kind cutmix --out boxes",
    ),
}


def edit(
    cohort: CohortFolder,
    out: Out,
    recipe: Recipe,
    where: Where = None,
    count: Count = 1,
    seed: Seed = 1,
    donors: Annotated[
        Path | None,
        typer.Option(
            "--donors",
            help="Prepared cohort whose lesions are inserted.",
            metavar="COHORT",
            show_default="COHORT itself",
        ),
    ] = None,
    workers: Workers = 1,
    overrides: Set = None,
    preview: Preview = None,
    dry_run: DryRun = False,
) -> None:
    """Edit the lesions of prepared label maps by a recipe, and record every edit."""
    from glioforge.lesions import edit_cohort

    settings = lesions.load_recipe(recipe, overrides or ())
    parents = core.select_cases(io.read_cohort(cohort), where or ())
    others = None if donors is None else io.read_cohort(donors)
    if dry_run:
        lesions.edits_step(parents, settings, out, count=count, donors=others, seed=seed)
        typer.echo(config.resolved_yaml(settings))
        return
    edited = edit_cohort(
        parents,
        settings,
        out,
        count=count,
        seed=seed,
        donors=others,
        parallel=compute.ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    if preview is not None:
        lesions.preview_cohort(parents, edited, preview)
    typer.echo(describe(edited))


def labels(
    cohort: CohortFolder,
    out: Out,
    spec: MaybeSpec = None,
    where: Where = None,
    count: Count = 100,
    seed: Seed = 1,
    healthy: Annotated[
        Path | None,
        typer.Option("--healthy", help="Prepared cohort of healthy brains, used as further hosts.", metavar="COHORT"),
    ] = None,
    tumours: Annotated[
        Path | None,
        typer.Option(
            "--tumours",
            help="Cohort, or folder of label maps without images, whose tumours are used as further lesions.",
            metavar="FOLDER",
        ),
    ] = None,
    tumour_scheme: Annotated[
        str | None,
        typer.Option("--tumour-scheme", help="Label scheme of a folder of tumour maps.", metavar="SCHEME"),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            help="Folder for hosts and growths, which runs may share.",
            metavar="DIR",
            show_default="cache within OUT",
        ),
    ] = None,
    workers: Workers = 1,
    overrides: Set = None,
    preview: Preview = None,
    dry_run: DryRun = False,
) -> None:
    """Draw new label maps: brains mirrored and warped, lesions grown or varied, placed as in patients."""
    settings = config.load_spec(spec, labelmaps.LabelMapSpec, overrides or ())
    train = core.select_cases(io.read_cohort(cohort), where or ())
    brains = None if healthy is None else io.read_cohort(healthy)
    layout = "label_maps" if tumours is not None and not (tumours / "cohort.json").is_file() else None
    masks = None if tumours is None else open_cohort(tumours, layout, None, tumour_scheme)
    sources = labelmaps.LabelSources(train, brains, masks)
    if dry_run:
        typer.echo(config.resolved_yaml(settings))
        return
    engine = labelmaps.LabelEngine(sources, settings, cache=cache or out / labelmaps.CACHE, seed=seed)
    made = labelmaps.draw_label_maps(
        engine, out, count=count, parallel=compute.ParallelSpec(workers=workers), progress=TerminalProgress()
    )
    if preview is not None:
        labelmaps.preview_maps(made, preview)
    typer.echo(describe(made))


def mix(
    cohort: CohortFolder,
    out: Out,
    kind: Annotated[
        str,
        typer.Option("--kind", help="Way of mixing: carvemix, class_contrast, cutmix or tumour_paste.", metavar="KIND"),
    ],
    where: Where = None,
    count: Count = 1,
    seed: Seed = 1,
    workers: Workers = 1,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Mix real prepared cases of different subjects into new ones, without a network."""
    values = config.with_overrides({"kind": kind}, overrides or ())
    spec = config.parse_spec(values, mixing.MIXINGS.spec_class(kind), f"mixing {kind}")
    parents = core.select_cases(io.read_cohort(cohort), where or ())
    if dry_run:
        typer.echo(config.resolved_yaml(spec))
        return
    mixed = mixing.mix_cohort(
        parents,
        spec,
        out,
        count=count,
        seed=seed,
        parallel=compute.ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    typer.echo(describe(mixed))
