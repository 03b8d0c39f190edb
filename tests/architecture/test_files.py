"""Files: short, named after the domain, documented, defined once, and free of what belongs to one machine."""

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "glioforge"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SHAPELESS = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "base_model", "networks"}
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+|private/var)/")
CLAIM = re.compile("anony" + "mous", re.IGNORECASE)
PRIVATE_CODES = re.compile(r"\bS[1-5]-\d{2}\b|\bTRUST\b|\bMEASURED\b|\bREQUIREMENTS\b|\bARCHITECTURE\.md|\bSTYLE\.md")
OPEN_ENDS = re.compile(r"\bNotImplementedError\b")


def relative(path):
    """Path below the repository, for messages and test ids."""
    return str(path.relative_to(ROOT))


def tracked_texts():
    """Text files of the repository that git tracks, by path, but for other people's."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    paths = [ROOT / name for name in done.stdout.split("\0") if name and "/vendor/" not in name] or [*MODULES, *TESTS]
    for path in paths:
        try:
            yield path, path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=relative)
def test_no_file_is_longer_than_400_lines(path):
    """A longer file holds more than one thing."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_every_module_says_what_it_is(path):
    """The module docstring is the first thing a reader meets."""
    documentation = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    assert documentation
    assert documentation.splitlines()[0].endswith((".", ":", ";", ",")) or len(documentation.splitlines()) > 1


def test_names_are_of_the_domain():
    """No drawer for odds and ends."""
    assert not [relative(path) for path in MODULES if {path.stem, path.parent.name} & SHAPELESS]


def test_every_package_has_an_init():
    """A folder of modules is a package with a docstring, so that tools find it."""
    folders = {path.parent for path in MODULES}

    assert not [relative(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_nothing_is_written_twice():
    """A function or class that two modules need lives in one; bodies of one or two statements may be alike."""
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and len(node.body) > 3:
                body = "\n".join(ast.dump(statement) for statement in node.body[1:])
                places[body].append(f"{relative(path)}:{node.name}")

    assert not [alike for alike in places.values() if len(alike) > 1]


def test_classes_are_abstract_or_final():
    """A class is an interface or final; specs and errors may have kinds."""
    open_classes = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bases = {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}
                final = any(ast.unparse(d).split(".")[-1] == "final" for d in node.decorator_list)
                interface = bases & {"Protocol", "ABC"}
                if not (final or interface or is_base(node.name) or is_spec(bases)):
                    open_classes.append(f"{relative(path)}:{node.lineno} {node.name}")

    assert not open_classes


def is_base(name):
    """Whether the name is of the two roots that are never used themselves."""
    return name in {"GlioforgeError", "Spec"}


def is_spec(bases):
    """Whether a class derives from a spec; pydantic's machinery subclasses those."""
    return any(base.endswith("Spec") for base in bases)


def test_nothing_belongs_to_one_machine():
    """No path of a developer's disk is written into the repository."""
    found = [relative(path) for path, text in tracked_texts() if MACHINE.search(text) and path != Path(__file__)]

    assert not found


def test_nothing_points_at_papers_that_a_reader_does_not_have():
    """Sources are papers and pages of the documentation, by name."""
    found = [relative(path) for path, text in tracked_texts() if PRIVATE_CODES.search(text) and path != Path(__file__)]

    assert not found


def test_nobody_is_promised_to_be_untraceable():
    """Glioforge measures leaks; it never claims that data of persons cannot be traced."""
    assert not [relative(path) for path, text in tracked_texts() if CLAIM.search(text)]


def test_nothing_is_left_unfinished():
    """What exists works."""
    assert not [relative(path) for path in MODULES if OPEN_ENDS.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_every_test_states_its_promise(path):
    """Each test function has a docstring."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    tests = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]

    assert not [test.name for test in tests if not ast.get_docstring(test)]


def test_every_package_has_a_folder_of_unit_tests():
    """CONTRIBUTING says so: one looks for the tests of a package below its name."""
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}

    assert packages <= {path.name for path in (ROOT / "tests" / "unit").iterdir()}
