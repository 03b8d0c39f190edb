"""The documentation's site: generated pages are complete, and nothing is fetched from outside."""

import importlib.util
import json
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hooks():
    """The module that writes pages from the code."""
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def navigation(entries):
    """All pages of a navigation."""
    for entry in entries:
        target = entry if isinstance(entry, str) else next(iter(entry.values()))
        if isinstance(target, list):
            yield from navigation(target)
        else:
            yield target


@pytest.fixture(scope="module")
def pages():
    """Pages that the navigation names."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    return set(navigation(yaml.safe_load(text)["nav"]))


def test_every_package_has_a_page(pages):
    """A new package is missed here."""
    packages = {path.parent.name for path in (ROOT / "src" / "glioforge").glob("*/__init__.py")} - {"cli"}

    assert {f"reference/python/{name}.md" for name in packages} <= pages


def test_every_written_page_is_in_the_navigation(pages):
    """No page is left out."""
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}

    assert written <= pages


def test_planted_studies_are_counted_as_their_file_says(hooks):
    """A row for each source, with the count beside the number asked."""
    rows = hooks.planted_table().splitlines()[2:]
    assert len(rows) == len(hooks.SOURCES)
    assert "refused | 20 | 20 |" in rows[2]


def test_borders_have_their_cases_and_differences(hooks):
    """Cases and pairs, with the numbers of the file."""
    found = json.loads(hooks.BORDERS.read_text())
    _, means, differences = hooks.border_table().split("\n\n")
    assert means.splitlines()[0].split(" | ")[1:] == ["whole-usual", "whole-band", "soft-usual", "soft-band |"]
    assert f"{found['means']['soft-usual']['border_sharpness lesion']:.3f}" in means
    low = found["differences"]["soft-usual - whole-usual"]["border_mae lesion"]["low"]
    assert f"({low:+.3f} to" in differences


def test_sizes_of_families_stand_next_to_earlier_ones(hooks):
    """A row for each family; one that did not exist then has no earlier numbers."""
    rows = hooks.size_table().splitlines()[2:]
    assert len(rows) == 8
    assert any(row.startswith("| edit |") and "| 15, 21 |" in row for row in rows)


def test_methods_table_is_the_registries(hooks):
    """Every kind of every family has its row."""
    from glioforge.runs.catalogue import FAMILIES

    table = hooks.methods_table()

    for family in FAMILIES:
        for kind in family.kinds():
            assert f"| {family.family} | `{kind}` |" in table


def test_command_line_page_has_every_verb_and_option(hooks):
    """Each verb is a heading with its options."""
    page = hooks.command_line()

    for verb in ("phantom", "ingest", "prepare", "train", "synthesize", "segment", "evaluate", "study", "demo"):
        assert f"## {verb}\n" in page
    assert "`--dry-run`" in page


def test_no_page_fetches_from_outside():
    """A hospital's network is closed: no script, style or font from another host."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")

    assert "font: false" in text
    assert "extra_javascript" not in text
    assert "mermaid" not in text
