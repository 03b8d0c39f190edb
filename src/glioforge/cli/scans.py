"""Verbs on scans and cohorts: `doctor`, `ingest`, `join`, `phantom` and `view`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glioforge import compute, config, core, data, io, runs
from glioforge.cli.cohorts import describe, layout_from
from glioforge.cli.options import (
    AllowMissing,
    DryRun,
    FollowLinks,
    Layout,
    MaybeOut,
    Out,
    Port,
    RegisterTo,
    Scheme,
    Seed,
    Set,
    Where,
    Workers,
)
from glioforge.cli.progress import TerminalProgress

EXAMPLES = {
    "doctor": ("glioforge doctor scans --out checked",),
    "ingest": ("glioforge ingest scans --out cohort",),
    "join": ("glioforge join prepared others --out joined",),
    "phantom": ("glioforge phantom --out scans --cases 20",),
    "view": (
        "glioforge view prepared",
        "glioforge view edited --compare prepared",
    ),
}


if TYPE_CHECKING:
    from glioforge.data import Diagnosis


def doctor(
    folder: Annotated[Path, typer.Argument(help="Folder of scans; only read, never changed.", metavar="FOLDER")],
    out: MaybeOut = None,
    layout: Layout = None,
    scheme: Scheme = None,
    where: Where = None,
    spacing: Annotated[
        float | None,
        typer.Option(
            "--spacing",
            help="Planned voxel size in mm; reports lesions that would be lost at this size.",
            min=0,
            metavar="MM",
            show_default="none: not checked",
        ),
    ] = None,
    follow_links: FollowLinks = False,
    workers: Workers = 1,
) -> None:
    """Check every scan and list all problems with remedies; with --out also in OUT/doctor.html and OUT/doctor.json.

    Exits with 1 if there are errors.
    """
    if out is not None:
        runs.diagnosis_step(folder, out)
    diagnosis = data.examine(
        folder,
        layout_from(layout, follow_links=follow_links),
        scheme=scheme,
        where=where or (),
        spacing_mm=spacing or None,
        parallel=compute.ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    _print(diagnosis)
    typer.echo(runs.headline(diagnosis))
    if out is not None:
        page = runs.write_diagnosis(diagnosis, out)
        typer.echo(f"written {page} and {page.with_suffix('.json')}")
    raise typer.Exit(1 if diagnosis.count("error") else 0)


def _print(diagnosis: "Diagnosis") -> None:
    """Print one row for each kind of finding."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("Severity", "What", "Times", "Example", "What to do", show_lines=True)
    colours = {"error": "bold red", "warning": "yellow", "remark": "dim"}
    for severity, topic, times, _, example, remedy in runs.topics(diagnosis):
        table.add_row(f"[{colours[severity]}]{severity}[/]", escape(topic), times, escape(example), escape(remedy))
    if diagnosis.findings:
        Console().print(table)


def ingest(
    folder: Annotated[
        Path, typer.Argument(help="Folder of scans, in a known layout or described by --layout.", metavar="FOLDER")
    ],
    out: Out,
    layout: Layout = None,
    scheme: Scheme = None,
    where: Where = None,
    register_to: RegisterTo = None,
    allow_missing: AllowMissing = False,
    follow_links: FollowLinks = False,
    workers: Workers = 1,
) -> None:
    """Find and check every scan of a folder, and list the cases in OUT/cohort.json.

    Images are neither copied nor changed.
    """
    cohort = io.ingest_folder(
        folder,
        out,
        layout_from(layout, follow_links=follow_links),
        require=() if allow_missing else None,
        register_to=register_to,
        scheme=scheme,
        where=where or (),
        parallel=compute.ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    typer.echo(describe(cohort))


def join(
    cohorts: Annotated[list[Path], typer.Argument(help="Folders of cohorts, at least two.", metavar="COHORT")],
    out: Out,
) -> None:
    """Join cohorts that were prepared with the same settings; their files stay where they are."""
    typer.echo(describe(io.join_cohorts(cohorts, out)))


def phantom(
    out: Out,
    cases: Annotated[int, typer.Option("--cases", help="Number of subjects.", min=1, metavar="N")] = 20,
    seed: Seed = 7,
    workers: Workers = 1,
    truth: Annotated[
        bool,
        typer.Option("--truth", help="Also write tissue maps and noise-free images to the folder OUT-truth."),
    ] = False,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Compute phantoms: brain-tumour MRI with labels in BraTS layout, without any patient data."""
    spec = config.parse_spec(config.with_overrides({}, overrides or ()), data.PhantomSpec, where="--set")
    if dry_run:
        data.require_phantoms_fit(out, cases=cases, spec=spec, truth=truth, seed=seed)
        typer.echo(config.resolved_yaml(spec))
        return
    folders = data.write_phantom_cohort(
        out,
        cases=cases,
        seed=seed,
        spec=spec,
        truth=truth,
        parallel=compute.ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    held = data.count_phantoms(out)
    more = f" ({len(folders)} asked for)" if held > len(folders) else ""
    typer.echo(f"{core.counted(held, 'phantom case')} in {out}{more}, labels {core.described(core.BRATS2017)}")


def view(
    path: Annotated[
        Path,
        typer.Argument(
            help="Cohort folder, folder of one prepared case, folder of scans, or image file.",
            metavar="CASE_OR_COHORT",
        ),
    ],
    compare: Annotated[
        Path | None,
        typer.Option(
            "--compare",
            help="Cohort or case shown next to it: synthetic or edited cases next to those that they were made from, "
            "or the same cases prepared in another way.",
            metavar="CASE_OR_COHORT",
        ),
    ] = None,
    case: Annotated[str | None, typer.Option("--case", help="Id of the one case to show.", metavar="CASE")] = None,
    where: Where = None,
    scheme: Scheme = None,
    port: Port = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address and leave the browser closed.")
    ] = False,
) -> None:
    """Show scans and labels in three planes in the browser, with two cohorts side by side if --compare is given.

    The page can be reached from this machine alone, and fetches nothing from outside; Ctrl-C ends it.
    """
    from glioforge.viewer.view import view as show

    show(
        path,
        compare,
        case=case,
        where=where or (),
        scheme=scheme,
        port=port,
        browser=not no_browser,
        progress=TerminalProgress(),
    )
