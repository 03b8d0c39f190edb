"""The command line's own promises: quick help, one-line errors, exit codes."""

import ast
import inspect
import re
import resource
import shlex
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from glioforge.cli import main
from glioforge.cli.main import _warn, app
from glioforge.cli.options import accelerator_of, accelerator_sets
from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.compute.precision import EmulatedPrecisionWarning

RUN = [sys.executable, "-c", "from glioforge.cli.main import run; run()"]
DIFFERING = {"--scheme", "--out"}
"""Options whose meaning depends on the verb: some read label files, some write them, `evaluate` reads masks, and
`reader backup` writes one file, where all others write a folder."""
VERBS = sorted(command.callback.__name__ for command in app.registered_commands if command.callback)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    """`--help` of each verb works and names its options."""
    result = CliRunner().invoke(app, [verb, "--help"])

    assert result.exit_code == 0
    assert "Usage" in result.output


def test_an_option_means_the_same_in_every_verb() -> None:
    """Verbs that share an option share its help, which is written once."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    meanings: dict[str, set[str]] = defaultdict(set)
    for command in group.commands.values():
        for option in (found for found in command.params if found.param_type_name == "option"):
            meanings[option.opts[0]].add(str(getattr(option, "help", "")))

    assert {name: found for name, found in meanings.items() if len(found) > 1 and name not in DIFFERING} == {}
    assert {"--out", "--workers", "--layout", "--recipe", "--count"} <= set(meanings)


def declared() -> list[tuple[str, str, str]]:
    """File, name and help of every option that the source declares."""
    found = []
    for path in sorted((Path(__file__).parents[3] / "src" / "glioforge" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Option":
                words = next(ast.literal_eval(key.value) for key in node.keywords if key.arg == "help")
                found.append((path.name, ast.literal_eval(node.args[0]), words))
    return found


def test_an_option_and_its_help_are_written_once() -> None:
    """What two verbs share stands in `options.py`; no text stands twice."""
    options = declared()
    names = Counter(name for _, name, _ in options)
    files = {name: {file for file, found, _ in options if found == name} for name in names}

    assert len(options) > 40
    assert {name for name, count in names.items() if count > 1} <= DIFFERING
    assert all(files[name] == {"options.py"} for name in DIFFERING)
    assert [words for words, count in Counter(words for _, _, words in options).items() if count > 1] == []


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example_and_no_type_for_a_switch(verb: str) -> None:
    """An example is a command that can be parsed."""
    result = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"})
    command = typer.main.get_command(app).commands[verb]
    _, *examples = (command.epilog or "").split("\n\n")

    assert examples
    for example in examples:
        program, name, *words = shlex.split(example)
        assert (program, name) == ("glioforge", verb)
        assert example in " ".join(result.output.split())
        command.make_context(verb, words)
    assert re.search(r"<(bool|str|path|file|dir|list|int|float range)", result.output) is None
    assert "{" not in result.output.split("Usage:")[1].splitlines()[0]


def test_every_verb_can_keep_a_log() -> None:
    """Before the verb and after it."""
    group = typer.main.get_command(app)
    below = [verb for found in group.commands.values() for verb in getattr(found, "commands", {}).values()]
    alone = [found for found in group.commands.values() if not hasattr(found, "commands")]
    assert below
    for command in (group, *alone, *below):
        assert {"--log-file", "--verbose", "-v"} <= {name for found in command.params for name in found.opts}


def test_no_workers_are_refused(tmp_path: Path) -> None:
    """0 is neither a number of processes nor all cores."""
    result = CliRunner().invoke(app, ["phantom", "--out", str(tmp_path / "x"), "--workers", "0"])

    assert result.exit_code == 2
    assert "0 workers do nothing" in result.output
    assert not (tmp_path / "x").exists()


def test_help_imports_nothing_heavy() -> None:
    """`glioforge --help` loads neither torch nor numpy-heavy families."""
    code = (
        "import sys; from glioforge.cli.main import app; "
        "heavy = {'torch', 'monai', 'scipy', 'nibabel', 'matplotlib', 'pydantic', 'nilearn'} & set(sys.modules); "
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_help_is_quick() -> None:
    """The best of five starts takes less than 0.4 s of processor time, however busy the machine is."""
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*RUN, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    assert min(seconds) < 0.4


def test_typed_errors_are_one_line_without_traceback(tmp_path: Path) -> None:
    """A wrong key in a YAML is told by its path, with exit code 2 and nothing written."""
    path = tmp_path / "study.yaml"
    path.write_text("kind: augmentation\nname: x\ntitle: y\nsplitt: {}\n", encoding="utf-8")
    done = subprocess.run(
        [*RUN, "study", str(path), "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "splitt: unknown key, did you mean 'split'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_version_is_printed() -> None:
    """`--version` prints the package's version."""
    result = CliRunner().invoke(app, ["--version"])

    assert result.output.startswith("glioforge ")


@pytest.mark.parametrize("module", ["glioforge", "glioforge.cli.main"])
def test_the_package_runs_as_a_module(module: str) -> None:
    """Where the script `glioforge` is not on the path."""
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("glioforge ")


@pytest.mark.parametrize("verb", ["train", "synthesize", "segment", "study", "demo"])
def test_verbs_with_networks_take_device_precision_and_threads(verb: str) -> None:
    """The options are on the command itself, so a typo is refused and `--help` shows them."""
    command = next(c for c in app.registered_commands if c.callback and c.callback.__name__ == verb)
    assert command.callback is not None

    assert {"device", "precision", "threads"} <= set(inspect.signature(command.callback).parameters)


def test_options_become_settings() -> None:
    """Those that were given, and no others."""
    assert accelerator_sets("cpu", None, 2) == ["accelerator.device=cpu", "accelerator.threads=2"]
    assert accelerator_sets(None, "32-true", None) == ["accelerator.precision=32-true"]
    assert accelerator_of(None, None, None) == AcceleratorSpec()
    assert accelerator_of("cpu", "32-true", 3) == AcceleratorSpec(device="cpu", precision="32-true", threads=3)


def test_own_warnings_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Of others the place in the code is shown, as Python does."""
    _warn("bf16 is emulated", EmulatedPrecisionWarning, "file.py", 3)
    _warn("old", DeprecationWarning, "file.py", 3)
    first, second = capsys.readouterr().err.splitlines()

    assert first == "warning: bf16 is emulated"
    assert second.startswith("file.py:3: DeprecationWarning: old")


def test_a_stopped_command_names_the_command_that_resumes_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As one types it: names with spaces are quoted."""

    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", stopped)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/glioforge", "ingest", "my scans", "--out", "cohort"])
    with pytest.raises(SystemExit) as ended:
        main.run()

    assert ended.value.code == 130
    assert capsys.readouterr().err == "stopped; to resume: glioforge ingest 'my scans' --out cohort\n"
