"""The wheel holds the whole package: also what is no Python file, and what a pattern of ignored files could hide."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(tmp_path):
    """Recipes, templates and the public names of type checkers among them; needs the index that pip installs from."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("glioforge/")}
    source = ROOT / "src"
    there = {
        path.relative_to(source).as_posix()
        for path in (source / "glioforge").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert held == there
    assert {"glioforge/lesions/recipes/default.yaml", "glioforge/__init__.pyi", "glioforge/runs/train.py"} <= held
