"""Tables and figures of a page are files as well: the same cells, the same drawing, and none left from before."""

import csv
import xml.etree.ElementTree as ET

import pytest

from glioforge.core.errors import OutputError
from glioforge.io.tables import ResultRow
from glioforge.report.answer_plots import ablation_plot, learning_plot
from glioforge.report.html import FOLDER, latex_of, render, with_parts
from glioforge.report.page import PNG_SIGNATURE, Figure, Folded, Paragraph, Report, Section, Table
from glioforge.report.plots import subject_plot
from glioforge.report.scores import ResultTable

SCORES = Table(
    ("Arm", "Dice"), (("real & more", "−0.71 (0.1 to 0.2)"), ("<both>", "50 %")), "Scores of 100 % of cases."
)


@pytest.fixture(scope="module")
def table():
    """Two arms of three subjects."""
    values = {"real": (0.5, 0.6, 0.7), "both": (0.6, 0.65, 0.8)}
    return ResultTable(
        ResultRow("s", arm, 0, 0, f"c{n}", f"p{n}", "WT", "dice", value)
        for arm, found in values.items()
        for n, value in enumerate(found)
    )


def report_with(*blocks):
    """A report of one section."""
    return Report("Q?", "A.", (Section("Does it help?", blocks),))


def test_each_table_and_figure_is_a_file_that_the_page_links(table, tmp_path):
    """CSV and LaTeX, PNG and SVG, folded ones too."""
    arms = {"real": "Real", "both": "Real + synthetic"}
    figure = Figure(ablation_plot(table, arms, {"both": "real"}, ("dice", "WT")), "Arms.", "Arms")
    page = with_parts(report_with(SCORES, Folded("More", (figure,))), tmp_path)

    made = {path.name for path in (tmp_path / FOLDER).iterdir()}
    assert made == {f"does-it-help-{end}" for end in ("1.csv", "1.tex", "2.png", "2.svg")}
    with (tmp_path / FOLDER / "does-it-help-1.csv").open(encoding="utf-8") as file:
        assert list(csv.reader(file)) == [list(SCORES.columns), *map(list, SCORES.rows)]
    assert (tmp_path / FOLDER / "does-it-help-2.png").read_bytes().startswith(PNG_SIGNATURE)
    assert ET.parse(tmp_path / FOLDER / "does-it-help-2.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own
    html = render(page)
    assert all(f'href="{FOLDER}/{name}"' in html for name in made)


def test_the_same_drawing_gives_the_same_files(table):
    """Neither times nor random names are in them."""
    curves = {"Real": [(1, "real"), (2, "real")], "Both": [(1, "both")]}
    first, again = (learning_plot(table, curves, ("dice", "WT"), "subjects") for _ in range(2))

    assert first == again
    assert first.svg == again.svg


def test_a_marked_arm_marks_the_drawing_itself(table):
    """LEAKY and unknown provenance stand in the picture, where a copy of it keeps them; other drawings bear nothing."""
    plain = {"real": "Real", "both": "Both"}
    one = ("dice", "WT")
    marked = {"real": "LEAKY: Real", "both": "Both (provenance unverified)"}
    drawn = [
        lambda arms: ablation_plot(table, arms, {"both": "real"}, one),
        lambda arms: learning_plot(
            table, {arms["both"]: [(1, "both")], arms["real"]: [(1, "real")]}, ("dice", "WT"), "n"
        ),
        lambda arms: subject_plot(table, arms, ["WT"]),
    ]

    for draw in drawn:
        svg = draw(marked).svg.decode()
        assert "LEAKY: arms so marked were tested on people they were trained on" in svg
        assert "Provenance unverified: exploratory" in svg
        assert "arms so marked" not in draw(plain).svg.decode()


def test_files_of_an_earlier_page_are_removed(tmp_path):
    """A table that is gone leaves no file; a page without any has no section of files."""
    with_parts(report_with(SCORES, SCORES), tmp_path)
    with_parts(report_with(SCORES), tmp_path)

    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {"does-it-help-1.csv", "does-it-help-1.tex"}
    plain = report_with(Paragraph("Nothing."))
    assert with_parts(plain, tmp_path / "other") is plain


def test_latex_shows_what_the_page_shows():
    """Every letter that means something to LaTeX is escaped."""
    text = latex_of(SCORES)

    assert r"real \& more & $-$0.71 (0.1 to 0.2) \\" in text
    assert r"$<$both$>$ & 50 \% \\" in text


def test_a_folder_that_cannot_be_written_is_a_typed_error(tmp_path):
    """As for every output."""
    (tmp_path / FOLDER).write_text("", encoding="utf-8")

    with pytest.raises(OutputError):
        with_parts(report_with(SCORES), tmp_path)
