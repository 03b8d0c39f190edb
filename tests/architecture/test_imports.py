"""Import contracts are kept, and they do report what they are there for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
