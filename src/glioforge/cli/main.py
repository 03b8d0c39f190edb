"""Entry point: collect the verbs and turn typed errors into one line and an exit code.

Nothing heavy is imported here or at the top of a verb's file, so that
`glioforge --help` and shell completion answer at once.
"""

import os
import shlex
import signal
import sys
import traceback
import warnings
from types import FrameType
from typing import Annotated, Any, NoReturn, cast

import typer

from glioforge import core
from glioforge.cli.audit import audit, shadow
from glioforge.cli.edit import edit, labels, mix
from glioforge.cli.fidelity import (
    fidelity,
    filter,  # noqa: A004 - the name of the verb
)
from glioforge.cli.options import LogFile, Verbose
from glioforge.cli.prepare import export, prepare
from glioforge.cli.reader import ABOUT as READER, VERBS as READER_VERBS
from glioforge.cli.scans import doctor, ingest, join, phantom, view
from glioforge.cli.study import demo, methods, report, study
from glioforge.cli.synthesize import sample, synthesize, teach
from glioforge.cli.train import evaluate, segment, train
from glioforge.cli.verb import BEFORE, Verbs, add_group, add_verb

ABOUT = "Make synthetic multi-contrast brain-tumour MRI with labels, and test whether it improves segmentation."
FIRST_STEPS = (
    "Start: doctor, ingest, prepare, view; then train and synthesize, or study for all of it.\n\n"
    "`glioforge VERB --help` explains a verb, its options and settings, with an example."
)

app = typer.Typer(
    name="glioforge",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
PANELS = {
    "Scans and cohorts": (phantom, doctor, ingest, prepare, join, view, export),
    "Models": (train, segment, evaluate),
    "Synthetic cases": (labels, edit, mix, sample, synthesize, filter, fidelity, shadow, audit, teach),
    "Experiments": (study, report, demo),
    "Reference": (methods,),
}
"""Verbs in the order of their use, by the heading of the help."""

for panel, verbs in PANELS.items():
    for verb in verbs:
        add_verb(app, verb, panel)
add_group(app, "reader", READER, READER_VERBS, "Experiments")


STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
"""Exit codes of a run that was asked to stop."""


def _print_version(value: bool) -> bool:
    if value:
        from importlib.metadata import version

        typer.echo(f"glioforge {version('glioforge')}")
        raise typer.Exit
    return value


@app.callback(help=ABOUT, epilog=FIRST_STEPS)
def _root(
    version: Annotated[  # noqa: ARG001 - printed by its own callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    log_file: LogFile = None,
    verbose: Verbose = False,
) -> None:
    """Keep the options for the log, which may stand before the verb as well."""
    BEFORE.log_file, BEFORE.verbose = log_file, verbose


def _close_frames(error: BaseException | None) -> None:
    """End the generators that an error left open, so that progress writes its last lines before ours."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def run() -> None:
    """Run the command line; typed errors become one line on stderr and their exit code."""
    signal.signal(signal.SIGTERM, _end)
    warnings.showwarning = cast("Any", _warn)
    try:
        app()
    except core.GlioforgeError as error:
        from rich.console import Console

        Console(stderr=True, soft_wrap=True).print("[bold red]error[/]", _plain(str(error)), highlight=False)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as ending:
        code = 130 if isinstance(ending, KeyboardInterrupt) else ending.code
        if code in STOPPED:
            _close_frames(ending)
            sys.stderr.write(f"stopped; to resume: {shlex.join(['glioforge', *sys.argv[1:]])}\n")
        sys.exit(code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End by a signal, through every `finally`."""
    sys.exit(128 + number)


def _warn(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    """Print a warning of Glioforge as one line, and any other as Python does."""
    own = category.__module__.startswith("glioforge.")
    text = f"warning: {message}\n" if own else f"{filename}:{lineno}: {category.__name__}: {message}\n"
    sys.stderr.write(text)
    from glioforge.cli.log import WARNING, shown

    shown(text.rstrip(), WARNING)


def _plain(text: str) -> str:
    """Escape rich's markup brackets, and the bytes of file names that are not UTF-8."""
    from rich.markup import escape

    return escape(text.encode("utf-8", "backslashreplace").decode())


if __name__ == "__main__":
    run()
