"""Tests of `reader.answers`: the table keeps every answer, whatever readers write, and starts no formula."""

import csv
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import InputFileError
from glioforge.reader.answers import COLUMNS, Answer, guarded, read_answers, write_answers

PLAIN = Answer("Dr A", "item001", "s1", "spade", "t1", "synthetic", "real", order=1, kind="turing")
FULL = replace(
    PLAIN,
    item="item002",
    confidence=3,
    score=4.5,
    cues=("texture", "border"),
    comment='blurred, "soft"\nat the rim',
    shown_at="2026-01-02T03:04:05.000+00:00",
    ms=1234,
    repeat_of="item001",
    practice=True,
    details={"where": [3, 4], "tumour": "tumour"},
)


def test_answers_are_read_as_they_were_written(tmp_path):
    """Every field comes back."""
    write_answers(tmp_path / "answers.csv", [PLAIN, FULL])

    assert read_answers(tmp_path / "answers.csv") == (PLAIN, FULL)


def test_no_answers_are_a_table_of_headings(tmp_path):
    """An empty table is one."""
    write_answers(tmp_path / "answers.csv", [])

    assert (tmp_path / "answers.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert read_answers(tmp_path / "answers.csv") == ()


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12).map(str.strip))
def test_any_comment_survives(tmp_path_factory, text):
    """What a reader writes comes back, formulas and quotes among it."""
    path = tmp_path_factory.mktemp("any") / "answers.csv"
    write_answers(path, [replace(PLAIN, comment=text, reader=text or "x")])

    assert read_answers(path)[0].comment == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "\t=1", "\r=1"])
def test_no_cell_starts_a_formula(tmp_path, text):
    """A spreadsheet that opens the table runs nothing that a reader wrote."""
    write_answers(tmp_path / "answers.csv", [replace(PLAIN, comment=text, reader=text)])

    with (tmp_path / "answers.csv").open(newline="") as table:
        cells = next(csv.DictReader(table))
    assert not cells["comment"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not cells["reader"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert guarded(text).startswith("'")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("order", "place", "no column order"),
        ("1,", "first,", "line 2 with .*expected numbers"),
        ("no,", "perhaps,", "line 2 with"),
    ],
)
def test_what_is_no_table_of_answers_is_refused(tmp_path, old, new, message):
    """The line or the column is named."""
    path = tmp_path / "answers.csv"
    write_answers(path, [PLAIN])
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(InputFileError, match=message):
        read_answers(path)


def test_two_answers_to_one_item_are_refused(tmp_path):
    """A table cannot say two things of one reader and item."""
    write_answers(tmp_path / "answers.csv", [PLAIN, PLAIN])

    with pytest.raises(InputFileError, match="two answers of Dr A to item001"):
        read_answers(tmp_path / "answers.csv")


def test_correct_and_preferred_follow_from_the_row():
    """A call is compared with the truth where there is one; a preference with the side of its method."""
    pair = replace(PLAIN, kind="preference", truth="", method="pix2pix", other="spade", side="right")

    assert PLAIN.correct is False
    assert replace(PLAIN, call="synthetic").correct is True
    assert replace(PLAIN, kind="accept", call="accept").correct is None
    assert [replace(pair, call=call).preferred for call in ("left", "right", "equal")] == ["spade", "pix2pix", None]
    assert PLAIN.preferred is None
