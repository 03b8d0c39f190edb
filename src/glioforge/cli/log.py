"""The log of a command: all that it showed, debug records and tracebacks, each with its time.

Modules write debug records through `logging.getLogger(__name__)`, as Python
programs do.  Without `--log-file` and `--verbose` nobody listens and nothing
is formatted.
"""

import logging
import platform
import re
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from logging import INFO, WARNING
from pathlib import Path
from typing import Any, cast, final

from glioforge.core import GlioforgeError, OutputError

__all__ = ["INFO", "WARNING", "logged", "shown"]

_LOG = logging.getLogger("glioforge")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_PACKAGES = ("glioforge", "numpy", "torch", "lightning-fabric", "nibabel", "scipy", "scikit-image", "blosc2")


def shown(text: str, level: int = INFO) -> None:
    """Add to the log what the user sees; nothing where no log is kept.

    Args:
        text: What is shown; may have several lines.
        level: `INFO`, or higher for a warning or an error.
    """
    if _LOG.handlers:
        _LOG.log(level, "%s", _CONTROL.sub("", text))


@contextmanager
def logged(file: Path | None, *, verbose: bool = False) -> Iterator[None]:
    """Keep the log of a command.

    Args:
        file: Text file that the log is added to; parent folders are made.  None keeps no file.
        verbose: Also print the debug records to stderr.

    Raises:
        OutputError: The file cannot be written.
    """
    if file is None and not verbose:
        yield
        return
    handlers = [*([] if file is None else [_to_file(file)]), *([_to_stderr()] if verbose else [])]
    before, stdout, started = _LOG.level, sys.stdout, time.monotonic()
    for handler in handlers:
        _LOG.addHandler(handler)
    _LOG.setLevel(logging.DEBUG)
    sys.stdout = cast("Any", _Tee(stdout))
    try:
        _LOG.debug("%s", _circumstances())
        yield
    except BaseException as error:
        _note(error)
        raise
    finally:
        _LOG.debug("ended after %.1f s", time.monotonic() - started)
        sys.stdout = stdout
        _LOG.setLevel(before)
        for handler in handlers:
            _LOG.removeHandler(handler)
            handler.close()


def _to_file(path: Path) -> logging.Handler:
    """Handler that adds to a file, with the time of each record."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(
            f"cannot write the log ({error})", "a file that can be written", "choose another --log-file", path
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-8s %(message)s"))
    return handler


def _to_stderr() -> logging.Handler:
    """Handler for what the user does not see otherwise."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("debug: %(message)s"))
    handler.addFilter(lambda record: record.levelno == logging.DEBUG)
    return handler


def _circumstances() -> str:
    """The command as one types it, where it runs, and with which versions."""
    command = shlex.join(["glioforge", *sys.argv[1:]])
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return f"{command}\nin {Path.cwd()} on {platform.platform()}, Python {platform.python_version()}; {versions}"


def _version(package: str) -> str:
    """Version of a package, which may be there without its record."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


def _note(error: BaseException) -> None:
    """Say how a command ended that did not end well; a verb that only ends with a code has said why."""
    if isinstance(error, GlioforgeError):
        _LOG.error("%s", error)
        _LOG.debug("raised by", exc_info=error)
    elif isinstance(error, Exception):
        code = getattr(error, "exit_code", None)
        if code is None:
            _LOG.critical("unexpected error", exc_info=error)
        else:
            _LOG.debug("exit code %s", code)
    else:
        _LOG.error("stopped by %s", type(error).__name__)


@final
class _Tee:
    """A stream for text whose lines also go to the log."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - whatever stands in for stdout
        self._stream, self._rest = stream, ""

    def write(self, text: str) -> int:
        """Write to the stream; whole lines go to the log."""
        written: int = self._stream.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            shown(line)
        return written

    def __getattr__(self, name: str) -> object:
        """Return whatever else a stream has."""
        return getattr(self._stream, name)
