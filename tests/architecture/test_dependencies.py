"""Declared and imported dependencies are the same, and a missing optional package ends in a typed error."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NOT_IMPORTED = {
    "nnunetv2": "run by its own commands",
    "tensorboard": "torch.utils.tensorboard imports it",
}
"""Packages of extras that the code needs without an import statement of its own."""


def name_of(requirement):
    """Normalised name of a requirement."""
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


DECLARED = {name_of(requirement) for requirement in PROJECT["dependencies"]}
OPTIONAL = {
    name_of(requirement)
    for extra, requirements in PROJECT["optional-dependencies"].items()
    if extra != "dev"
    for requirement in requirements
}


INSTALLED = packages_distributions()


def distribution_of(module):
    """Normalised name of the distribution that has a module; the module's own where it is not installed."""
    return INSTALLED.get(module, [module])[0].lower().replace("_", "-")


def third_party(tree):
    """Import statements of a tree, with the top module of each package that is neither Python's nor ours."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"glioforge"}:
            yield node, top


def imports(text):
    """Distributions that a module imports, and those among them that it guards against their absence."""
    tree = ast.parse(text)
    guarded = {
        node
        for handler in ast.walk(tree)
        if isinstance(handler, ast.Try) and any("ImportError" in ast.unparse(h.type or h) for h in handler.handlers)
        for node in ast.walk(handler)
    }
    found = [(node, distribution_of(top)) for node, top in third_party(tree)]
    asked = "find_spec(" in text and "DependencyError" in text
    return {name for _, name in found}, {name for node, name in found if node in guarded or asked}


@pytest.fixture(scope="module")
def modules():
    """Imports of each module of the package, by path."""
    files = sorted((ROOT / "src" / "glioforge").rglob("*.py"))
    return {str(file.relative_to(ROOT)): imports(file.read_text(encoding="utf-8")) for file in files}


def test_every_import_is_declared(modules):
    """What users' code imports is installed with Glioforge, or is an extra whose absence is told as a typed error."""
    undeclared = {
        (path, name) for path, (found, _) in modules.items() for name in found if name not in DECLARED | OPTIONAL
    }
    unguarded = {
        (path, name)
        for path, (found, guarded) in modules.items()
        for name in (found & OPTIONAL) - DECLARED
        if name not in guarded
    }

    assert undeclared == set()
    assert unguarded == set()


def test_every_dependency_is_imported(modules):
    """No user installs a package that nothing imports."""
    imported = set().union(*(found for found, _ in modules.values()))

    assert imported >= DECLARED
    assert imported | set(NOT_IMPORTED) >= OPTIONAL
    assert not imported & set(NOT_IMPORTED)


@pytest.mark.parametrize(
    ("text", "found", "guarded"),
    [
        ("import numpy as np\nimport os, yaml\nfrom glioforge.core import rng\n", {"numpy", "pyyaml"}, set()),
        ("def f():\n    from monai.losses import DiceLoss\n", {"monai"}, set()),
        ("try:\n    import dipy.io\nexcept ImportError:\n    pass\n", {"dipy"}, {"dipy"}),
        ("if find_spec('dipy') is None:\n    raise DependencyError()\nimport dipy.io\n", {"dipy"}, {"dipy"}),
    ],
)
def test_imports_are_found_and_guards_seen(text, found, guarded):
    """The test itself sees imports inside functions, names that differ from the distribution's, and guards."""
    assert imports(text) == (found, guarded)
