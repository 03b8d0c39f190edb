"""`glioforge edit`, `labels` and `mix`: cases of edited lesions, of drawn label maps, or mixed of real ones."""

from pathlib import Path
from typing import Annotated

import typer

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
    from glioforge.compute import ParallelSpec
    from glioforge.config import resolved_yaml
    from glioforge.core import select_cases
    from glioforge.io import read_cohort
    from glioforge.lesions import edits_step, load_recipe
    from glioforge.lesions.edit_cohort import edit_cohort

    settings = load_recipe(recipe, overrides or ())
    parents = select_cases(read_cohort(cohort), where or ())
    others = None if donors is None else read_cohort(donors)
    if dry_run:
        edits_step(parents, settings, out, count=count, donors=others, seed=seed)
        typer.echo(resolved_yaml(settings))
        return
    edited = edit_cohort(
        parents,
        settings,
        out,
        count=count,
        seed=seed,
        donors=others,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    if preview is not None:
        from glioforge.lesions import preview_cohort

        preview_cohort(parents, edited, preview)
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
    from glioforge.compute import ParallelSpec
    from glioforge.config import load_spec, parse_spec, resolved_yaml, with_overrides
    from glioforge.core import select_cases
    from glioforge.io import read_cohort
    from glioforge.labelmaps import CACHE, LabelEngine, LabelMapSpec, LabelSources, draw_label_maps

    sets = overrides or ()
    settings = load_spec(spec, LabelMapSpec, sets) if spec else parse_spec(with_overrides({}, sets), LabelMapSpec)
    train = select_cases(read_cohort(cohort), where or ())
    brains = None if healthy is None else read_cohort(healthy)
    layout = "label_maps" if tumours is not None and not (tumours / "cohort.json").is_file() else None
    masks = None if tumours is None else open_cohort(tumours, layout, None, tumour_scheme)
    sources = LabelSources(train, brains, masks)
    if dry_run:
        typer.echo(resolved_yaml(settings))
        return
    engine = LabelEngine(sources, settings, cache=cache or out / CACHE, seed=seed)
    made = draw_label_maps(
        engine, out, count=count, parallel=ParallelSpec(workers=workers), progress=TerminalProgress()
    )
    if preview is not None:
        from glioforge.labelmaps import preview_maps

        preview_maps(made, preview)
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
    from glioforge.compute import ParallelSpec
    from glioforge.config import parse_spec, resolved_yaml, with_overrides
    from glioforge.core import select_cases
    from glioforge.io import read_cohort
    from glioforge.mixing import MIXINGS, mix_cohort

    values = with_overrides({"kind": kind}, overrides or ())
    spec = parse_spec(values, MIXINGS.spec_class(kind), f"mixing {kind}")
    parents = select_cases(read_cohort(cohort), where or ())
    if dry_run:
        typer.echo(resolved_yaml(spec))
        return
    mixed = mix_cohort(
        parents,
        spec,
        out,
        count=count,
        seed=seed,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    typer.echo(describe(mixed))
