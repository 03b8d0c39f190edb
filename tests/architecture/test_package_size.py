"""The package stays in pieces that one can find: names to know for a part, comments, imports between modules."""

import ast
import importlib.util
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_NAMES = 8
MEDIANS = {
    "edit": 6,
    "filter": 8,
    "layout": 7,
    "method": 8,
    "mixing": 5.5,
    "question": 12,
    "sampler": 8,
    "segmenter": 10.5,
}
"""Most names of the package that half of the parts of a family import."""
MOST_IMPORTS = 25
FEWEST_COMMENTS = 80
LONG_FORWARD = 6
SHAPE = re.compile(r"\((?:b|1), \S")
"""A shape in a comment, such as `(b, width, x/2, y/2)`."""


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


def test_parts_of_each_family_import_few_names(package_size):
    """A family whose parts take more names than they did asks its authors to know more."""
    families = package_size.names_of_parts(package_size.SOURCE)

    assert families.keys() == MEDIANS.keys()
    assert {name: row["median"] for name, row in families.items() if row["median"] > MEDIANS[name]} == {}


def test_names_of_parts_are_counted_by_file_and_by_folder(package_size, tmp_path):
    """A folder counts by its main file without its own parts; names of other packages do not count."""
    folder = tmp_path / "io" / "layouts"
    (folder / "two").mkdir(parents=True)
    (folder / "__init__.py").write_text("from glioforge.core import A, B, C\n", encoding="utf-8")
    (folder / "one.py").write_text("import os\nfrom glioforge.core import A, B\nfrom glioforge import io\n", "utf-8")
    (folder / "two" / "__init__.py").write_text(
        "from typing import Any\nfrom glioforge.io import A\nfrom glioforge.io.layouts.two.part import B, C\n", "utf-8"
    )
    (folder / "two" / "part.py").write_text("from glioforge.core import A, B, C, D\n", encoding="utf-8")

    assert package_size.names_by_part(folder) == {"one": 3, "two": 1}
    assert package_size.names_of_parts(tmp_path) == {"layout": {"parts": 2, "median": 2, "max": 3}}


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


def test_long_forward_passes_say_the_shapes_of_features(package_size):
    """Where grid or channels change, a reader of a network finds the new shape in a comment."""
    found = dict(_long_forwards(package_size.SOURCE))

    assert len(found) > 20
    assert not [place for place, has_shape in found.items() if not has_shape]


def test_shapes_are_looked_for_in_comments_of_long_forward_passes_alone(tmp_path):
    """A comment counts within its `forward` only, and a short one needs none."""
    lines = [f"        x{number} = x\n" for number in range(LONG_FORWARD)]
    head = "class A:\n    # (b, c)\n    def forward(self, x):\n"
    for name, body in (
        ("bare", lines),
        ("said", [*lines[:-1], "        x5 = x  # (b, c, x/2)\n"]),
        ("short", lines[1:]),
    ):
        (tmp_path / f"{name}.py").write_text(head + "".join(body), encoding="utf-8")

    assert dict(_long_forwards(tmp_path)) == {"bare.py:3": False, "said.py:3": True}


def _long_forwards(folder: Path) -> Iterator[tuple[str, bool]]:
    """Place of each `forward` of `LONG_FORWARD` statements or more, and whether a comment in it says a shape."""
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "def forward(" not in text:
            continue
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        shapes = {t.start[0] for t in tokens if t.type == tokenize.COMMENT and SHAPE.search(t.string)}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name == "forward" and _statements(node) >= LONG_FORWARD:
                lines = range(node.lineno, node.end_lineno + 1)
                yield f"{path.relative_to(folder)}:{node.lineno}", not shapes.isdisjoint(lines)


def _statements(function: ast.FunctionDef) -> int:
    """Statements of a function, those within loops and branches too, without its docstring."""
    return (
        sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1 - (ast.get_docstring(function) is not None)
    )
