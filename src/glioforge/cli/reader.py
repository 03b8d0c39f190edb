"""`glioforge reader`: blinded reading studies with physicians, from cohorts to locked answers."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge import config, reader
from glioforge.cli.cohorts import named_cohorts
from glioforge.cli.options import DryRun, MaybeSpec, Out, OutFile, Port, Seed, Set
from glioforge.cli.progress import TerminalProgress

ABOUT = "Ask readers blindly: can they tell synthetic from real cases, why, and which do they prefer?"
EXAMPLES = {
    "create": (
        "glioforge reader create --real prepared --synthetic spade=made --set real=20 --set synthetic=20 --out reading",
        "glioforge reader create --preset han2018 --real prepared --synthetic wgan=made --out reading",
    ),
    "serve": (
        "glioforge reader serve reading",
        "glioforge reader serve reading --host 0.0.0.0 --host-name ward.example --certificate tls.pem --key tls.key",
    ),
    "invite": ("glioforge reader invite reading 'Reader 1'",),
    "status": ("glioforge reader status reading",),
    "lock": ("glioforge reader lock reading",),
    "report": (
        "glioforge reader report reading --out report",
        "glioforge reader report reading --fidelity measured/fidelity.json --out report",
    ),
    "export": ("glioforge reader export reading --out answers",),
    "power": ("glioforge reader power --margin 0.1", "glioforge reader power --margin 0.15 --spread 0.06"),
    "demo": ("glioforge reader demo --out reading-demo",),
    "backup": ("glioforge reader backup reading --out reading.zip",),
    "restore": ("glioforge reader restore reading.zip --out reading",),
}

Folder = Annotated[Path, typer.Argument(help="Folder of a reading study.", metavar="STUDY")]


def create(
    out: Out,
    real: Annotated[
        Path | None, typer.Option("--real", help="Cohort of real cases.", metavar="COHORT", show_default="none")
    ] = None,
    synthetic: Annotated[
        list[str] | None,
        typer.Option(
            "--synthetic",
            help="Cohort of synthetic cases, with the name of its method; may be repeated.",
            metavar="NAME=COHORT",
            show_default="none",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="Settings of a paper: han2018, carver or guo2020.", metavar="NAME"),
    ] = None,
    spec: MaybeSpec = None,
    overrides: Set = None,
    allow_shortcuts: Annotated[
        bool,
        typer.Option(
            "--allow-shortcuts", help="Go on where a pixel shortcut separates real from synthetic; marks every table."
        ),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Create a reading study from cohorts: choose items by a seed, encode them alike, and audit them."""
    values = {} if spec is None else config.read_values(spec)
    values |= {} if preset is None else {"preset": preset}
    settings = config.parse_spec(
        config.with_overrides(values, overrides or ()), reader.ReaderSpec, where=str(spec or "--set")
    )
    if dry_run:
        typer.echo(config.resolved_yaml(settings))
        for line in reader.needed_items(settings):
            typer.echo(f"# {line}")
        return
    cohorts = named_cohorts(real, synthetic or [])
    study = reader.create_study(out, settings, cohorts, allow_shortcuts=allow_shortcuts, progress=TerminalProgress())
    counts = ", ".join(f"{count} {source}" for source, count in study.sources.items())
    items = sum(study.sources.values()) // (2 if settings.paired else 1)
    typer.echo(f"study in {out}: {items} items ({counts}), about {study.minutes(items)} minutes a reader")
    for name, text in study.flags.items():
        typer.echo(f"{name}: {text}")
    for line in reader.needed_items(settings):
        typer.echo(line)
    typer.echo(f"next: glioforge reader serve {out}")


def serve(
    folder: Folder,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.", metavar="ADDRESS")] = "127.0.0.1",
    port: Port = 8765,
    host_name: Annotated[
        list[str] | None,
        typer.Option(
            "--host-name", help="Name under which readers reach this machine; may be repeated.", metavar="NAME"
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="TLS certificate, PEM.", metavar="FILE")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="Private key of the certificate, PEM.", metavar="FILE")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve plain HTTP to other machines, within a network that you trust.")
    ] = False,
) -> None:
    """Serve a reading study to browsers; on this machine alone unless an address is given."""
    address = reader.Address(host, port, tuple(host_name or ()), certificate, key, insecure)
    reader.serve_study(folder, address, progress=TerminalProgress())


def invite(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="Name of the reader.", metavar="READER")],
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Replace a lost invitation: ends the reader's sessions and passphrase, not answers."
        ),
    ] = False,
    url: Annotated[
        str,
        typer.Option(
            "--url",
            help="Address of the server for the reader.",
            metavar="URL",
            show_default="where it was served last",
        ),
    ] = "",
) -> None:
    """Add a reader and print the link of the invitation, which works once."""
    typer.echo(reader.invite_reader(folder, name, again=again, url=url))


def status(folder: Folder) -> None:
    """Show how far readers are, without answers or truth, and check the audit chain."""
    from rich.console import Console
    from rich.table import Table

    found = reader.status_of(folder)
    table = Table("Reader", "Answered", "Median s", "Last answer (UTC)", "Invitation", title=found.title)
    for one in found.readers:
        seconds = "" if one.seconds is None else f"{one.seconds:.1f}"
        used = "open" if one.invited else "used"
        table.add_row(one.name, f"{one.done} of {one.total}", seconds, one.last[:16].replace("T", " "), used)
    Console().print(table if found.readers else "no readers yet: glioforge reader invite", markup=False)
    typer.echo(f"{f'locked at {found.locked}' if found.locked else 'open'}; audit chain {found.head[:16]} is whole")


def lock(
    folder: Folder,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="Lock it although readers have items left.")] = False,
) -> None:
    """Close a study for good: no answer is accepted after the lock, and no truth is shown before it."""
    typer.echo(f"locked; audit chain {reader.lock_study(folder, unfinished=unfinished)}")


def export(folder: Folder, out: Out) -> None:
    """Write answers with their truth, the key of the items and the audit chain of a locked study."""
    answers = reader.export_study(folder, out)
    typer.echo(f"{len(answers)} answers in {out / 'answers.csv'}")


def report(
    folder: Folder,
    out: Out,
    fidelity: Annotated[
        Path | None,
        typer.Option(
            "--fidelity",
            help="fidelity.json of a comparison of the cohorts, for a measure of diversity.",
            metavar="FILE",
            dir_okay=False,
            show_default="none",
        ),
    ] = None,
) -> None:
    """Analyse a locked study: one page with the answer, its numbers as JSON, and tables for R packages."""
    typer.echo(f"report: {reader.report_study(folder, out, fidelity=fidelity).resolve()}")


def power(
    margin: Annotated[
        float, typer.Option("--margin", help="Equivalence margin on the accuracy.", metavar="SHARE")
    ] = 0.1,
    chance: Annotated[
        float, typer.Option("--power", help="Chance to conclude equivalence where readers guess.", metavar="SHARE")
    ] = 0.8,
    spread: Annotated[
        float, typer.Option("--spread", help="Standard deviation of the accuracy between readers.", metavar="SHARE")
    ] = 0.04,
    correlation: Annotated[
        float, typer.Option("--correlation", help="Correlation of two readers' answers to one image.", metavar="R")
    ] = 0.2,
    seconds: Annotated[float, typer.Option("--seconds", help="Time for an item, in seconds.", metavar="S")] = 12.0,
) -> None:
    """Show how many items and readers are needed to place readers who guess within a margin of chance."""
    from rich.console import Console
    from rich.table import Table

    found = reader.plans(margin, power=chance, spread=spread, correlation=correlation, seconds=seconds)
    table = Table("Readers", "Items each", "Power", "Minutes each")
    for one in found:
        if one.items:
            table.add_row(str(one.readers), str(one.items), f"{one.equivalence_power:.2f}", f"{one.minutes:.0f}")
        else:
            table.add_row(str(one.readers), "more than 4000", "–", "–")
    Console().print(table, markup=False)
    typer.echo("half of the items synthetic, one per subject; with one reader the result is about this reader")


def demo(
    out: Out = Path("reading-demo"),
    seed: Seed = 11,
    open_server: Annotated[
        bool, typer.Option("--serve", help="Serve a second, open study on the same phantoms, to read it yourself.")
    ] = False,
) -> None:
    """Show a finished study in about a minute: phantoms, quick synthetic cases, three simulated readers, a report."""
    page, study = reader.demonstrate(out, seed=seed, progress=TerminalProgress())
    typer.echo(f"report: {page.resolve()}")
    if open_server:
        link = (
            reader.invite_reader(study, "You", again=True) if _is_invited(study) else reader.invite_reader(study, "You")
        )
        typer.echo(f"read it yourself: {link}")
        reader.serve_study(study, reader.Address(), progress=TerminalProgress())
    else:
        typer.echo(f"to read it yourself: glioforge reader invite {study} You; glioforge reader serve {study}")


def backup(
    folder: Folder,
    out: OutFile,
) -> None:
    """Copy a study into one file, also while it is served."""
    typer.echo(f"backup in {reader.backup_study(folder, out)}")


def restore(
    file: Annotated[Path, typer.Argument(help="File that backup wrote.", metavar="FILE")],
    out: Out,
) -> None:
    """Restore a backup into a new folder."""
    typer.echo(f"study in {reader.restore_study(file, out)}")


def _is_invited(study: Path) -> bool:
    """Whether the reader of the demonstration was invited by an earlier call."""
    return any(invited.name == "You" for invited in reader.status_of(study).readers)


VERBS = (create, serve, invite, status, lock, report, export, power, demo, backup, restore)
