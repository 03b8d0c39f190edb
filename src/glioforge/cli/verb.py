"""What all verbs share: options for the log, an example below the help, and help that shows no type for a switch."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import typer
from typer.core import TyperCommand, TyperGroup

from glioforge.cli.options import LogFile, Verbose


@final
@dataclass
class Given:
    """Options for the log that were given before the verb."""

    log_file: Path | None = None
    verbose: bool = False


BEFORE = Given()


@final
class Verb(TyperCommand):
    """A verb whose help names no type for a switch and no braces for an argument."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's own copy of click
        """Return the parameters, with no type shown for switches."""
        return _plain(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's own copy of click
        """Return the words of the line of use, arguments in capitals alone."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]


@final
class Verbs(TyperGroup):
    """All verbs, with the same kind of help."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's own copy of click
        """Return the parameters, with no type shown for switches."""
        return _plain(super().get_params(ctx))


def add_verb(app: typer.Typer, verb: Callable[..., None], panel: str) -> None:
    """Add a verb to the command line, with the options for the log and the `EXAMPLES` of its module as epilogue.

    A module of several verbs has the examples of each by its name.

    Args:
        app: The command line.
        verb: Function of the verb.
        panel: Heading under which the list of verbs shows it.
    """
    examples = sys.modules[verb.__module__].EXAMPLES
    examples = examples[verb.__name__] if isinstance(examples, dict) else examples
    heading = "Example:" if len(examples) == 1 else "Examples:"
    app.command(cls=Verb, epilog="\n\n".join([heading, *examples]), rich_help_panel=panel)(_logged(verb))


def add_group(app: typer.Typer, name: str, about: str, verbs: Iterable[Callable[..., None]], panel: str) -> None:
    """Add verbs that stand behind a word of their own, such as `reader create`.

    Args:
        app: The command line.
        name: The word.
        about: What they are for, one sentence.
        verbs: Functions of the verbs, in the order of their use.
        panel: Heading under which the list of verbs shows the word.
    """
    group = typer.Typer(name=name, help=about, cls=Verbs, no_args_is_help=True, rich_markup_mode="rich")
    for verb in verbs:
        add_verb(group, verb, "Commands")
    app.add_typer(group, rich_help_panel=panel)


def _logged(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `--log-file` and `--verbose`, which also work before it."""

    @functools.wraps(verb)
    def call(*, log_file: Path | None, verbose: bool, **given: Any) -> None:  # noqa: ANN401 - the verb's own options
        if not (log_file or BEFORE.log_file or verbose or BEFORE.verbose):
            return verb(**given)
        from glioforge.cli.log import logged

        with logged(log_file or BEFORE.log_file, verbose=verbose or BEFORE.verbose):
            return verb(**given)

    own = inspect.signature(verb)
    kind = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter("log_file", kind, default=None, annotation=LogFile),
        inspect.Parameter("verbose", kind, default=False, annotation=Verbose),
    ]
    call.__signature__ = own.replace(parameters=[*own.parameters.values(), *shared])  # type: ignore[attr-defined]
    call.__annotations__ = {**verb.__annotations__, "log_file": LogFile, "verbose": Verbose}
    return call


def _untyped(ctx: Any) -> str:  # noqa: ANN401, ARG001 - typer's own copy of click
    """The type that help shows of an argument: none."""
    return ""


def _plain(params: list[Any]) -> list[Any]:
    """Parameters of which switches have no name of a value, and arguments no type after their name."""
    for parameter in params:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = _untyped
    return params
