"""Import contracts are kept, and they do report what they are there for."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]

LAYERS = "Layers point downwards, and families do not know each other"
PLANTED = [
    ("core/planted.py", "import glioforge.io", LAYERS),
    ("lesions/planted.py", "import glioforge.quality", LAYERS),
    ("metrics/planted.py", "import glioforge.losses", LAYERS),
    ("newfamily/__init__.py", "", LAYERS),
    (
        "synthesis/methods/planted.py",
        "import glioforge.synthesis.methods.spade",
        "Synthesis methods and samplers",
    ),
    ("runs/planted.py", "import glioforge.studies", LAYERS),
    ("report/planted.py", "import glioforge.quality", "Reports are written without"),
    ("report/planted.py", "import torch", "Reports are written without"),
    ("core/planted.py", "import torch", "core is plain Python and numpy"),
    ("core/planted.py", "import pydantic", "core is plain Python and numpy"),
    ("data/planted.py", "import nibabel", "Image files are read and written in io only"),
    ("studies/planted.py", "import SimpleITK", "Image files are read and written in io only"),
    ("statistics/planted.py", "import torch", "Statistics are plain numpy, SciPy and statsmodels"),
    ("statistics/planted.py", "import glioforge.metrics.base", LAYERS),
    ("reader/app.py", "import glioforge.training.loop", "The reading study starts without a deep-learning stack"),
]
"""File to plant, what it says, and the contract that has to report it."""

HEAVY = {"lightning_fabric", "monai", "torch"}
LIGHT = ("config", "core", "io", "lesions", "metrics", "reader", "report", "statistics")
"""Packages that load no deep-learning stack, also not through names of other packages that they import."""
WITH_PROCESSES = {"glioforge.io.ingestion", "glioforge.io.run_accelerator", "glioforge.lesions.edited_cohort"}
"""Modules of them that start worker processes or ask for a device, which costs torch."""


def lint(folder):
    """Run the contracts in a folder; exit code and output."""
    command = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    done = subprocess.run(
        [command, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the package to plant violations in."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_contracts_are_kept():
    """Arrows only point down."""
    code, output = lint(ROOT)

    assert code == 0, output


@pytest.mark.parametrize(("name", "text", "contract"), PLANTED, ids=[f"{n} {t}".strip() for n, t, _ in PLANTED])
def test_a_planted_violation_is_reported(copied, name, text, contract):
    """Each contract breaks when it is broken."""
    package = copied / "src" / "glioforge"
    planted = package / name
    made = [folder for folder in (planted.parent,) if not folder.exists()]
    for folder in made:
        folder.mkdir()
        (folder / "__init__.py").write_text('"""Planted."""\n')
    planted.write_text(f'"""Planted."""\n{text}\n')
    try:
        code, output = lint(copied)
    finally:
        planted.unlink()
        for folder in made:
            shutil.rmtree(folder)

    assert code == 1
    words = " ".join(output.split())
    assert f"{contract}" in words
    assert "BROKEN" in words or "undeclared" in words.lower() or "missing" in words.lower(), output


def faces():
    """Names that each package passes on, and the modules that hold them."""
    found = {}
    for stub in (ROOT / "src" / "glioforge").glob("*/__init__.pyi"):
        package = f"glioforge.{stub.parent.name}"
        nodes = [node for node in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
        found[package] = {alias.name: f"{package}.{node.module}" for node in nodes for alias in node.names}
    return found


def test_names_that_packages_pass_on_hide_no_deep_learning_stack():
    """Contracts see `from glioforge.data import x` as an import of the package; here it is one of the module with x."""
    graph = grimp.build_graph("glioforge", include_external_packages=True, cache_dir=None)
    passed_on = faces()
    for path in (ROOT / "src" / "glioforge").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = passed_on.get(node.module, {})
                for target in {names[alias.name] for alias in node.names if alias.name in names}:
                    graph.add_import(importer=module, imported=target)
    for module in WITH_PROCESSES:
        graph.remove_module(module)

    found = {package: graph.find_upstream_modules(f"glioforge.{package}", as_package=True) for package in LIGHT}

    assert {"torch", "numpy"} <= graph.modules
    assert passed_on["glioforge.core"]
    assert not {package: loaded & HEAVY for package, loaded in found.items() if loaded & HEAVY}
