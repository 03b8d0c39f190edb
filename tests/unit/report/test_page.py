"""What a report may hold."""

import pytest

from glioforge.core.errors import OutputError
from glioforge.report.page import Figure, Table
from glioforge.report.style import png, sheet


def test_a_figure_knows_its_size():
    """Width and height are those of the picture file."""
    assert Figure(png(sheet(2.0, 1.0)), "nothing", "an empty sheet").size == (400, 200)


def test_a_figure_must_be_a_png():
    """Other bytes are refused before they reach a page."""
    with pytest.raises(OutputError, match="figure 'scores' of 4 bytes; expected contents of a PNG file"):
        Figure(b"JFIF", "scores", "scores")


def test_a_figure_must_speak_to_those_who_cannot_see_it():
    """A figure without alternative text is refused."""
    with pytest.raises(OutputError, match="figure 'scores' without alternative text; expected a sentence on what"):
        Figure(png(sheet(1.0, 1.0)), "scores", " ")


def test_a_table_row_must_fit_its_headings():
    """A row with a cell too few is refused and shown."""
    with pytest.raises(OutputError, match=r"table row of 1 cells: \('real',\); expected 2 cells, one each of"):
        Table(("arm", "Dice"), (("real",),), "scores")
