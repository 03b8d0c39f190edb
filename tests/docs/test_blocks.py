"""What README and documentation show works: Python runs, commands and options exist, YAML is valid."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```(?P<language>\w+)(?P<rest>[^\n]*)\n(?P<text>.*?)^\1```$", re.MULTILINE | re.DOTALL)
REGISTRIES = {
    "glioforge.synthesis.base": "SYNTHESIZERS",
    "glioforge.sampling.method": "SAMPLERS",
    "glioforge.segmentation.base": "SEGMENTERS",
    "glioforge.lesions.base": "EDITS",
    "glioforge.quality.base": "FILTERS",
    "glioforge.io.layout": "LAYOUTS",
    "glioforge.studies.question": "QUESTIONS",
}


def blocks(page, language):
    """Texts of a page's code blocks in one language, with what stands behind the language."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [(match["text"], match["rest"]) for match in found if match["language"] == language]


def pages_with(language):
    """Pages that show a language, as parameters named by their path."""
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if blocks(page, language)]


@pytest.fixture
def restored_registries():
    """Take examples out of the registries again."""
    registries = [getattr(importlib.import_module(module), name) for module, name in REGISTRIES.items()]
    yield
    for registry in registries:
        examples = [
            kind for kind, (_, part) in registry._entries.items() if not part.__module__.startswith("glioforge.")
        ]
        for kind in examples:
            del registry._entries[kind]


@pytest.mark.parametrize("page", pages_with("python"))
@pytest.mark.usefixtures("restored_registries")
def test_python_runs(page):
    """The blocks of a page run one after the other, as a reader would type them."""
    namespace = {"__name__": "__docs__"}
    for text, rest in blocks(page, "python"):
        if "title=" not in rest:
            exec(compile(text, str(page), "exec"), namespace)  # noqa: S102 - our own documentation


PROGRAMS = [
    pytest.param(text, id=str(page.relative_to(ROOT)))
    for page in PAGES
    for text, rest in blocks(page, "python")
    if "title=" in rest
]
"""Whole programs, which take minutes."""


@pytest.mark.parametrize("text", PROGRAMS)
def test_names_of_programs_exist(text):
    """What a program imports can be imported."""
    imports = [node for node in ast.parse(text).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert imports
    exec(compile(ast.Module(imports, []), "imports", "exec"), {})  # noqa: S102 - our own documentation


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("text", PROGRAMS)
def test_programs_run(text, tmp_path, monkeypatch, capsys):
    """From an empty folder, to the page that the last line prints."""
    monkeypatch.chdir(tmp_path)
    exec(compile(text, "program", "exec"), {"__name__": "__docs__"})  # noqa: S102 - our own documentation
    assert Path(capsys.readouterr().out.split()[-1]).is_file()


def commands(page):
    """Commands of a page's bash blocks, a line each, as words."""
    for text, _ in blocks(page, "bash"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


@pytest.mark.parametrize("page", pages_with("bash"))
def test_commands_exist(page):
    """Each command is a target of the Makefile, or a verb of Glioforge with options that it has."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for words in commands(page):
        name = Path(words[0]).name
        assert name in {"make", "glioforge"}, words
        if name == "make":
            assert words[1] in targets, words
        else:
            require_valid(words[1:])


def require_valid(words):
    """Parse a command as the command line would, without doing it."""
    from glioforge.cli.main import app

    verb, *rest = words
    command = typer.main.get_command(app).commands[verb]
    if hasattr(command, "commands"):
        verb, *rest = rest
        command = command.commands[verb]
    command.make_context(verb, list(rest), resilient_parsing=False)


@pytest.mark.parametrize("page", pages_with("yaml"))
def test_yaml_is_valid(page):
    """A block with a title is a whole file and fits its spec; any other is at least YAML."""
    for text, rest in blocks(page, "yaml"):
        values = yaml.safe_load(text)
        title = re.search(r'title="(.+?)"', rest)
        if title is not None:
            require_spec(values)
        assert isinstance(values, dict)


def require_spec(values):
    """Parse a whole file by the spec that its keys ask for."""
    from glioforge.config.load import parse_spec
    from glioforge.data.preparation.spec import PrepareSpec
    from glioforge.io.layout import LayoutChoice
    from glioforge.lesions.recipe import RecipeSpec
    from glioforge.runs.train import TrainingRunSpec
    from glioforge.studies.question import QUESTIONS

    if "layout" in values:
        spec = LayoutChoice
    elif "grid" in values or "preset" in values:
        spec = PrepareSpec
    elif "steps" in values:
        spec = RecipeSpec
    elif values.get("kind") in QUESTIONS.kinds():
        spec = QUESTIONS.spec_class(values["kind"])
    else:
        spec = TrainingRunSpec
    parse_spec(values, spec)


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.yaml")), ids=lambda path: path.name)
def test_experiments_are_valid(path):
    """Each stored experiment fits its spec."""
    from glioforge.studies.question import load_study

    assert load_study(path).name
