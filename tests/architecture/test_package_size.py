"""The package stays in pieces that one can find: names to know for a part, comments, imports between modules."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_NAMES = 8
MOST_IMPORTS = 25
FEWEST_COMMENTS = 80


@pytest.fixture(scope="module")
def package_size():
    """The script of the measures, as a module."""
    found = importlib.util.spec_from_file_location("package_size", ROOT / "benchmarks" / "package_size.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_a_new_part_needs_few_names(package_size):
    """The examples of the guides are whole parts; what they import is what one has to know."""
    guides = ROOT / "docs" / "how-to"
    names = {part: package_size.names_to_know(guides / name) for part, name in package_size.GUIDES.items()}

    assert all(0 < number <= MOST_NAMES for number in names.values()), names


@pytest.mark.slow
def test_imports_and_comments_keep_their_measure(package_size):
    """Few imports between modules for the size of the package, and comments where the author alone knows why."""
    package = package_size.measure(package_size.SOURCE.rglob("*.py"))

    assert package["imports_per_1000_lines"] <= MOST_IMPORTS
    assert package["comments"] >= FEWEST_COMMENTS


def test_measures_of_a_small_file(package_size, tmp_path):
    """Imports of other packages and marks for linters are not counted; a module taken whole is one import."""
    path = tmp_path / "small.py"
    path.write_text(
        "import os\nfrom glioforge import c, d\nfrom glioforge.core import A, B\nx = 1  # noqa: E1\n# Why.\n",
        encoding="utf-8",
    )

    expected = {"files": 1, "lines": 5, "imports": 3, "imports_per_1000_lines": 600.0, "comments": 1}
    assert package_size.measure([path]) == expected
    assert package_size.imported(path.read_text(encoding="utf-8")) == [["A", "B"], ["c"], ["d"]]
