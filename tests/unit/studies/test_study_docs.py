"""Every YAML of the how-to page on studies is one that a study takes."""

import re
from pathlib import Path

import pytest
import yaml

from glioforge.studies.question import parse_study

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "study.md").read_text(encoding="utf-8")
WHOLE, *PARTS = [yaml.safe_load(text) for text in re.findall(r"```yaml[^\n]*\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("part", PARTS, ids="-".join)
def test_the_examples_are_settings_of_a_study(part):
    """The first is whole; the others are parts that replace its own, or whole studies of another kind."""
    if part.get("kind", WHOLE["kind"]) != WHOLE["kind"]:
        assert parse_study(part, "docs/how-to/study.md").kind == part["kind"]
        return
    sources = {"copies": {"kind": "copies"}}
    changed = {**WHOLE, "sources": sources, **part}
    if "segmenters" in part and "segmenter" not in part:
        del changed["segmenter"]
    assert parse_study(changed, "docs/how-to/study.md").kind == WHOLE["kind"]
