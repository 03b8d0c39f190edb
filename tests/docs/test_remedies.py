"""Remedies name keys and options that exist: an error that sends its reader to a key that is not there helps nobody."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

import glioforge
from glioforge.cli.main import app
from glioforge.config.spec import Spec

SOURCE = Path(glioforge.__file__).parent
OTHERS = {"--nthreads", "--nworkers"}
"""Options of programs that Glioforge calls or names."""
ENDINGS = {"json", "yaml", "csv", "html", "safetensors", "txt", "png", "nii", "gz", "py", "md", "log", "parquet"}
FORMS = {"a.b", "numpy.nan_to_num"}
"""Dotted words that are no keys."""
TOP = {"TrainingRunSpec", "PrepareSpec", "PhantomSpec", "ReaderSpec", "RecipeSpec", "LayoutChoice"}


def docstrings(tree: ast.AST) -> set[int]:
    """Ids of the nodes that are docstrings or stand-alone strings."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def messages() -> list[tuple[str, str]]:
    """Place and text of every argument of a typed error, and of every other string that tells to set something."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        left = docstrings(tree)
        said = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("Error", "BadParameter", "Finding")):
                said |= {id(part) for part in ast.walk(node) if isinstance(part, ast.Constant)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in left:
                continue
            if id(node) in said or re.search(r"\bset [a-z_]+[.=]", node.value):
                found.append((f"{path.relative_to(SOURCE)}:{node.lineno}", node.value))
    return found


def verbs(group: Any) -> list[Any]:
    """Every verb, also those behind a word such as `reader`."""
    return [one for verb in group.commands.values() for one in (verbs(verb) if hasattr(verb, "commands") else [verb])]


def options() -> set[str]:
    """Every option of every verb."""
    return {
        name
        for verb in verbs(typer.main.get_command(app))
        for found in verb.params
        for name in (*found.opts, *found.secondary_opts)
    }


def specs() -> list[type[Spec]]:
    """Every spec of the package."""
    for module in pkgutil.walk_packages([str(SOURCE)], "glioforge."):
        importlib.import_module(module.name)
    pending, known = [Spec], []
    while pending:
        spec = pending.pop()
        known.append(spec)
        pending += spec.__subclasses__()
    return [spec for spec in known if spec.__module__.startswith("glioforge.")]


def nested(annotation: Any, known: list[type[Spec]]) -> list[type[Spec]]:
    """Specs that a field may hold; any where it is left to a registry."""
    if annotation is Spec:
        return known
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [annotation, *(spec for spec in known if issubclass(spec, annotation))]
    return [spec for part in get_args(annotation) for spec in nested(part, known)]


def leads_somewhere(path: str, known: list[type[Spec]]) -> bool:
    """Whether the keys lie below each other in a settings file."""
    places = [spec for spec in known if spec.__name__ in TOP or spec.__module__.startswith("glioforge.studies")]
    *parents, last = path.split(".")
    for key in parents:
        fields = [spec.model_fields[key] for spec in places if key in spec.model_fields]
        places = [spec for field in fields for spec in nested(field.annotation, known)]
    return any(last in spec.model_fields for spec in places)


def keys_of(text: str) -> list[str]:
    """Dotted keys in a text, without names of files and of modules."""
    words = re.findall(r"(?<![\w./-])[a-z_]+(?:\.[a-z_0-9]+)+(?![\w./-])", text)
    named = [word for word in words if word.rsplit(".", 1)[1] not in ENDINGS]
    return [word for word in named if word not in FORMS and not word.startswith("glioforge.")]


def test_options_in_messages_exist() -> None:
    """At least a dozen are named."""
    known = options() | OTHERS
    named = [(place, name) for place, text in messages() for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)]

    assert len(named) > 12
    assert [(place, name) for place, name in named if name not in known] == []


def test_keys_in_messages_exist() -> None:
    """Each leads through the specs to a field; a key without parents is a field of some spec."""
    known = specs()
    named = [(place, key) for place, text in messages() for key in keys_of(text)]
    alone = [(place, key) for place, text in messages() for key in re.findall(r"\bset ([a-z_]+)(?: to|=)", text)]
    fields = {name for spec in known for name in spec.model_fields} | {"it"}

    assert len(named) > 5
    assert [(place, key) for place, key in named if not leads_somewhere(key, known)] == []
    assert [(place, key) for place, key in alone if key not in fields] == []


@pytest.mark.parametrize(
    ("key", "exists"), [("grid.spacing_mm", True), ("synthesizer.gaps", True), ("grid.gaps", False)]
)
def test_the_check_tells_keys_apart(key: str, exists: bool) -> None:
    """A key of another place is none."""
    assert leads_somewhere(key, specs()) == exists
