"""`glioforge study`, `demo`, `report` and `methods`: whole experiments from one YAML to a report."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glioforge import config, studies
from glioforge.cli.options import (
    Device,
    DryRun,
    MaybeWorkers,
    Out,
    Precision,
    ScoreOut,
    Set,
    Threads,
    Where,
    accelerator_sets,
)
from glioforge.cli.progress import TerminalProgress

EXAMPLES = {
    "study": (
        "glioforge study study.yaml --data scans --out run",
        "glioforge study run --score scans-of-next-year",
        "glioforge study foroozandeh_eklund --budget smoke --data phantom --out run",
    ),
    "demo": ("glioforge demo --out demo-run",),
    "report": ("glioforge report run", "glioforge report run-han2018 run-carver reading --papers papers.html"),
    "methods": ("glioforge methods",),
}


if TYPE_CHECKING:
    from glioforge.studies import StudySpec


def study(
    spec: Annotated[
        Path,
        typer.Argument(
            help="YAML file of the study, or the name of one that comes with Glioforge, such as shin2018; with --score "
            "the folder of a finished one.",
            metavar="YAML",
        ),
    ],
    out: ScoreOut = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Folder of scans or of a cohort, if the study reads one; `phantom` for computed phantoms.",
            metavar="FOLDER",
        ),
    ] = None,
    score: Annotated[
        Path | None,
        typer.Option(
            "--score",
            help="Folder of scans or of a cohort of subjects that came later: the models of the finished study score "
            "them once; nothing is trained.",
            metavar="COHORT",
        ),
    ] = None,
    where: Where = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            help="Folder of finished models and cohorts that studies share.",
            metavar="DIR",
            show_default="within --out",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option("--budget", help="Name of one of the study's budgets.", metavar="NAME", show_default="the YAML's"),
    ] = None,
    workers: MaybeWorkers = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Run a whole experiment, from scans to a report, as a YAML file describes it; repeat the command to resume."""
    if score is not None:
        given = {"--data": data, "--where": where, "--store": store, "--budget": budget, "--set": overrides}
        score_cohort(spec, score, out, dry_run=dry_run, given={**given, "--workers": workers, "--device": device})
        return
    if out is None:
        raise typer.BadParameter("give the output folder of the study", param_hint="--out")
    sets = [*(overrides or []), *accelerator_sets(device, precision, threads)]
    sets += [] if budget is None else [f"budget={budget}"]
    sets += [] if workers is None else [f"parallel.workers={workers}"]
    phantoms = data is not None and str(data) == studies.PHANTOM
    data = None if phantoms else data
    settings = studies.load_study(spec, tuple(sets), phantoms=phantoms)
    if where:
        settings = settings.model_copy(update={"where": tuple(where)})
    if dry_run:
        show_plan(settings, out, data, store)
        return
    page = studies.run_study(settings, out, data=data, store=store, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")


def score_cohort(run: Path, cohort: Path, out: Path | None, *, dry_run: bool, given: Mapping[str, object]) -> None:
    """Let the models of a finished study score a cohort; options that would change them are refused."""
    strange = [name for name, value in given.items() if value]
    if strange:
        raise typer.BadParameter(f"{', '.join(strange)} with --score: the models of a finished study stay as they are")
    page = studies.score_later(run, cohort, out=out, progress=TerminalProgress(), dry_run=dry_run)
    typer.echo(f"checked, nothing scored; report: {page.resolve()}" if dry_run else f"report: {page.resolve()}")


def show_plan(settings: "StudySpec", out: Path, data: Path | None, store: Path | None) -> None:
    """Print all settings as YAML, and the plan below them as comments, so that what is printed is a study's YAML."""
    tasks = studies.plan_study(settings, out, data=data, store=store, progress=TerminalProgress())
    typer.echo(config.resolved_yaml(settings))
    workers = settings.parallel.workers
    for line in studies.plan_lines(tasks, workers if workers > 0 else os.cpu_count() or 1):
        typer.echo(f"# {line}")


def demo(
    out: Out = Path("demo-run"),
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Run the whole pipeline on phantoms: train a synthesizer, edit lesions, compare segmenters, write a report.

    Takes five to eight minutes on two cores; repeat the command to resume.
    """
    settings = studies.load_demo((*(overrides or ()), *accelerator_sets(device, precision, threads)))
    if dry_run:
        show_plan(settings, out, None, None)
        return
    page = studies.run_study(settings, out, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")


def report(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folder of a finished study; with --papers several, or none, and locked reading studies too.",
            metavar="STUDY",
        ),
    ] = None,
    papers: Annotated[
        Path | None,
        typer.Option(
            "--papers",
            help="Write the published tables of the five papers next to the results of these studies into this page.",
            metavar="HTML",
        ),
    ] = None,
) -> None:
    """Write the report of a finished study again, from its results; or set studies next to the papers' tables."""
    if papers is not None:
        from glioforge.papers import by_paper, write_papers_page

        page = write_papers_page(papers, by_paper(folders or ()))
    else:
        if folders is None or len(folders) != 1:
            raise typer.BadParameter("give the folder of one finished study", param_hint="STUDY")
        page = studies.write_report(folders[0], progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")


def methods(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List synthesizers, samplers, segmenters, edits, filters, layouts, recipes and label schemes, and presets."""
    import json

    from glioforge.runs.catalogue import catalogue

    entries = catalogue()
    if as_json:
        typer.echo(json.dumps([entry.to_json() for entry in entries], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("family", "kind", "presets", "what it is", title="Methods")
    for entry in entries:
        table.add_row(entry.family, entry.kind, ", ".join(entry.presets), entry.summary)
    Console().print(table)
