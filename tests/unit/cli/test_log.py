"""The log of a command holds what was shown, what was not, and how it ended."""

import logging
import re
import shlex
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from glioforge.cli.log import _Tee, logged, shown
from glioforge.cli.main import _warn, app
from glioforge.cli.progress import TerminalProgress
from glioforge.cli.verb import add_verb
from glioforge.compute.precision import EmulatedPrecisionWarning
from glioforge.core.cohort import Cohort
from glioforge.core.errors import OutputError, SpecError
from glioforge.core.schemes import COMPLETE
from glioforge.io.cohort_file import write_cohort

STAMPED = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL) ")
EXAMPLES = ("glioforge faulty",)


def faulty() -> None:
    """Fail as no verb should."""
    raise ZeroDivisionError


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_log_holds_what_is_shown_and_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Every record has its time; the option works before and after the verb, and adds to the file."""
    file = tmp_path / "logs" / "run.log"
    option = ["--log-file", str(file)]
    verb = ["phantom", "--out", str(tmp_path / "x"), "--dry-run"]
    words = [*option, *verb] if place == "before" else [*verb, *option]
    monkeypatch.setattr(sys, "argv", ["glioforge", *words])
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    text = file.read_text(encoding="utf-8")

    assert result.exit_code == 0
    assert all(line in text for line in result.stdout.splitlines())
    assert STAMPED.match(text)
    assert f"DEBUG    {shlex.join(['glioforge', *words])}\n" in text
    assert "torch " in text
    assert "ended after" in text.splitlines()[-1]
    CliRunner().invoke(app, words)
    assert file.read_text(encoding="utf-8").startswith(text)


def test_an_unexpected_error_leaves_its_traceback(tmp_path: Path) -> None:
    """And is raised as before."""
    own = typer.Typer()
    own.callback()(lambda: None)
    add_verb(own, faulty, "Tests")
    result = CliRunner().invoke(own, ["faulty", "--log-file", str(tmp_path / "run.log")])
    text = (tmp_path / "run.log").read_text(encoding="utf-8")

    assert isinstance(result.exception, ZeroDivisionError)
    assert "CRITICAL unexpected error\nTraceback" in text
    assert "raise ZeroDivisionError" in text


def test_a_typed_error_and_a_warning_are_noted_with_their_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A typed error also with the place in the code, which the terminal does not show."""

    def work() -> None:
        _warn("bf16 is emulated", EmulatedPrecisionWarning, "file.py", 3)
        raise SpecError("a wrong key", "a right one")

    with pytest.raises(SpecError), logged(tmp_path / "run.log"):
        work()
    text = (tmp_path / "run.log").read_text(encoding="utf-8")

    assert "WARNING  warning: bf16 is emulated" in text
    assert "ERROR    a wrong key; expected a right one" in text
    assert "DEBUG    raised by\nTraceback" in text
    assert capsys.readouterr().err == "warning: bf16 is emulated\n"


def test_verbose_prints_debug_records_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What is shown anyway is not printed twice; afterwards nobody listens."""
    with logged(None, verbose=True):
        logging.getLogger("glioforge.io").debug("wrote a file")
        shown("2 cases")
    logging.getLogger("glioforge.io").debug("later")
    error = capsys.readouterr().err

    assert "debug: wrote a file" in error
    assert "2 cases" not in error
    assert "later" not in error


def test_without_either_option_nothing_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the streams nor the level."""
    before = sys.stdout
    with logged(None):
        assert sys.stdout is before
        shown("nobody listens")

    assert not logging.getLogger("glioforge").handlers
    assert capsys.readouterr() == ("", "")


def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Before any work."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="cannot write the log.*choose another --log-file"),
        logged(tmp_path / "file" / "x"),
    ):
        pytest.fail("the work began")


def test_colours_stay_out_of_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines are whole, whatever pieces they are written in."""
    with logged(tmp_path / "run.log"):
        assert isinstance(sys.stdout, _Tee)
        sys.stdout.write("\x1b[1mone")
        sys.stdout.write("\x1b[0m\ntwo\n")
        assert sys.stdout.isatty() is False
    text = (tmp_path / "run.log").read_text(encoding="utf-8")

    assert "INFO     one\n" in text
    assert "INFO     two\n" in text
    assert capsys.readouterr().out == "\x1b[1mone\x1b[0m\ntwo\n"


def test_files_steps_and_settings_are_debug_records(tmp_path: Path) -> None:
    """What a support question needs: which settings, what was written, what was there already."""
    write_cohort(Cohort("none", (), COMPLETE), tmp_path / "in")
    words = ["edit", str(tmp_path / "in"), "--recipe", "default", "--out", str(tmp_path / "out")]
    for _ in range(2):
        CliRunner().invoke(app, [*words, "--log-file", str(tmp_path / "run.log")], catch_exceptions=False)
    text = (tmp_path / "run.log").read_text(encoding="utf-8")

    assert re.search(r"DEBUG    settings of .*default\.yaml:\nname: default\n", text)
    for record in (f"{tmp_path / 'out'} is being made", f"wrote {tmp_path / 'out' / 'cohort.json'}", "out is finished"):
        assert f"DEBUG    {record}" in text or record in text
    assert f"DEBUG    {tmp_path / 'out'} is done already" in text


def test_a_line_of_progress_is_logged_once(tmp_path: Path) -> None:
    """Where it is printed."""
    with logged(tmp_path / "run.log"):
        TerminalProgress().say("label files hold labels")
    text = (tmp_path / "run.log").read_text(encoding="utf-8")

    assert text.count("label files hold labels") == 1
