"""The page of the Python API is true: every verb has its functions, and calls them."""

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import glioforge
from glioforge.cli.main import app
from glioforge.core import errors, schemes

ROOT = Path(__file__).parents[2]
GROUPS = [group.typer_instance.info.name for group in app.registered_groups]
FILES = {verb.callback.__name__: verb.callback.__module__.rpartition(".")[2] for verb in app.registered_commands}
VERBS = sorted([*GROUPS, *(command.callback.__name__ for command in app.registered_commands)])


def table():
    """Names of functions and of settings by verb, from the page."""
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|(.*?)\|$", page, re.MULTILINE)
    return {verb: (re.findall(r"`(\w+)`", functions), re.findall(r"`(\w+)`", specs)) for verb, functions, specs in rows}


def taken_by(verb):
    """What a verb and the functions of its file take from Glioforge, without the other verbs there."""
    files = [ROOT / "src/glioforge/cli" / name for name in (f"{FILES.get(verb, verb)}.py", "cohorts.py")]
    parts = [part for file in files for part in ast.parse(file.read_text(encoding="utf-8")).body]
    others = {name for name, file in FILES.items() if file == FILES.get(verb, verb)} - {verb}
    own = [part for part in parts if getattr(part, "name", verb) not in others]
    nodes = [node for part in own for node in ast.walk(part)]
    imported = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    through_faces = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return imported | through_faces


def test_every_verb_has_its_row():
    """A new verb is missed here."""
    assert sorted(table()) == VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_calls_the_functions_of_its_row(verb):
    """The functions are public, can be called, and are those that the command line uses."""
    functions, specs = table()[verb]

    assert functions
    assert all(callable(getattr(glioforge, name)) for name in functions)
    assert {*functions, *specs} <= set(glioforge.__all__)
    assert set(functions) <= taken_by(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_progress_and_workers_may_be_left_out(verb):
    """A call shows nothing and takes one process unless asked otherwise."""
    parameters = [
        parameter
        for name in table()[verb][0]
        for parameter in inspect.signature(getattr(glioforge, name)).parameters.values()
        if parameter.name in {"parallel", "progress"}
    ]

    assert {parameter.default for parameter in parameters} <= {None}


ORDER = ("seed", "accelerator", "parallel", "progress")
"""Keywords that end the list of arguments, in this order."""
FUNCTIONS = {name: found for name in glioforge.__all__ if inspect.isfunction(found := getattr(glioforge, name))}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_arguments_come_in_one_order(name):
    """A cohort first, then what is done with it, then where it goes; how it is done by keyword, seed to progress."""
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    names = list(parameters)
    ending = [key for key in names if key in ORDER]
    positional = [key for key, found in parameters.items() if found.kind is not inspect.Parameter.KEYWORD_ONLY]

    assert "cohort" not in names or names[0] == "cohort"
    assert ending == [key for key in ORDER if key in ending]
    if name not in ON_ONE_CASE:
        assert names[len(names) - len(ending) :] == ending
        assert not set(ending) & set(positional)
        assert "out" not in names or "out" in positional


ON_ONE_CASE = {
    "edit_labels",
    "load_sampler",
    "load_segmenter",
    "load_synthesizer",
    "make_phantom",
    "split_by_subject",
    "folds_by_subject",
}
"""Functions with few arguments, whose seed or device may go without a name."""


def test_names_exist_and_are_listed():
    """Every public name is found where it is said to be."""
    assert sorted(glioforge.__all__) == dir(glioforge)
    assert all(getattr(glioforge, name) is not None for name in glioforge.__all__)


def test_every_error_and_every_label_scheme_is_public():
    """What a caller catches, and what maps are read with, comes from the package itself."""
    public = [getattr(glioforge, name) for name in glioforge.__all__]
    raised = [
        found for found in vars(errors).values() if isinstance(found, type) and found.__module__ == errors.__name__
    ]

    assert {found.__name__ for found in raised} <= set(glioforge.__all__)
    assert [name for name, scheme in schemes.SCHEMES.items() if not any(scheme is found for found in public)] == []


def test_importing_glioforge_loads_nothing_heavy():
    """A name is imported when it is first used."""
    code = "import sys, glioforge; print(sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_names_in_the_changelog_exist():
    """A dotted name in a fragment that is not released yet can be imported."""
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "changelog.d").glob("*.md")))

    missing = []
    for name in sorted(set(re.findall(r"\bglioforge(?:\.\w+)+", texts))):
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            missing.append(name)
    assert missing == []
