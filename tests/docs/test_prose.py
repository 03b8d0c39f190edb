"""Pages and help texts are written in the words of the field, without turns that nobody else uses."""

import re
from pathlib import Path

import pytest
import typer

from glioforge.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BANNED = re.compile(
    r"\b(told|tells|beside|anew|mend(?:s|ed)?|by heart|(?:stands?|stood) behind|lay in a scanner"
    r"|(?:a|one) (?:row|line|file|case|image|map) a (?:case|file|method|fact|subject|region)"
    r"|none (?:takes|leaves|gives))\b",
    re.IGNORECASE,
)
CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def turns(text):
    """Banned turns of a text, without its code."""
    return [match.group() for match in BANNED.finditer(CODE.sub("", text))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_the_words_of_the_field(page):
    """Reports, next to, again, fix, contributed to, one row per case: see Prose in CONTRIBUTING."""
    assert turns(page.read_text(encoding="utf-8")) == []


def verbs(group):
    """Every verb, and every word in front of verbs."""
    for verb in group.commands.values():
        yield verb
        if hasattr(verb, "commands"):
            yield from verbs(verb)


def test_help_uses_the_words_of_the_field():
    """What `--help` prints of each verb and option."""
    texts = {
        text: turns(text)
        for verb in verbs(typer.main.get_command(app))
        for text in (verb.help or "", *(getattr(parameter, "help", None) or "" for parameter in verb.params))
    }

    assert {text: found for text, found in texts.items() if found} == {}
    assert len(texts) > 40


def test_turns_are_found_outside_code():
    """The test itself sees a turn in prose and leaves code alone."""
    assert turns("A row a case, told once.\n\n```bash\nmake beside\n```\nRun `mend`.") == ["A row a case", "told"]
