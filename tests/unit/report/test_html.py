"""Reports as one HTML file, and their tables and figures as files: same cells, same drawing, none left over."""

import base64
import csv
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from glioforge.core.errors import OutputError
from glioforge.io.tables import ResultRow
from glioforge.report.answer_plots import ablation_plot, learning_plot
from glioforge.report.html import FOLDER, anchors, fitted, latex_of, numeric_columns, render, with_parts
from glioforge.report.page import PNG_SIGNATURE, Facts, Figure, Folded, Listing, Note, Paragraph, Report, Section, Table
from glioforge.report.plots import subject_plot
from glioforge.report.scores import ResultTable
from glioforge.report.style import png, sheet

FIGURE = Figure(png(sheet(3.0, 1.0)), "An empty sheet.", "Nothing is drawn")
TABLE = Table(("Arm", "Dice"), (("real", "0.712 (0.600 to 0.800)"), ("both", "–")), "Scores.", frozenset({1}))
REPORT = Report(
    "Does it <help>?",
    "It may & may not.",
    (
        Section("What & why", (Paragraph("A <b>bold</b> claim."), Note("Few."), Note("Too few.", "warning"))),
        Section("Numbers", (TABLE, FIGURE, Facts({"seed": "7"}), Table(("Arm",), (), "Nothing measured."))),
        Section("Numbers", (Folded("More", (Paragraph("Inside."), FIGURE, Folded("Deeper", (TABLE,)))),)),
        Section("Settings", (Listing("a: 1\n  b: <2>"),)),
    ),
    footer="Made by Glioforge.",
)
PAGE = render(REPORT)
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Elements(HTMLParser):
    """Collects elements with attributes and checks that they are closed in order."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.stack = []

    def handle_starttag(self, tag, attrs):
        """Note an element."""
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        """Close the innermost element, which must be this one."""
        assert self.stack.pop() == tag


def elements(page=PAGE):
    """Elements of a page."""
    parser = Elements()
    parser.feed(page)
    assert parser.stack == []
    return parser.found


def of(tag):
    """Attributes of all elements of a kind."""
    return [attributes for name, attributes in elements() if name == tag]


def test_every_element_is_closed():
    """The page is well formed and says its language and character set."""
    assert PAGE.startswith("<!doctype html>")
    assert of("html") == [{"lang": "en-GB"}]
    assert {"charset": "utf-8"} in of("meta")


def test_text_is_never_markup():
    """Angle brackets and ampersands of the content are escaped everywhere."""
    assert "A &lt;b&gt;bold&lt;/b&gt; claim." in PAGE
    assert "<title>Does it &lt;help&gt;?</title>" in PAGE
    assert "It may &amp; may not." in PAGE
    assert "<b>" not in PAGE


def test_nothing_is_asked_of_anyone():
    """The page has no script, link, font or address outside itself, and forbids asking for one."""
    assert not of("script")
    assert not of("link")
    assert "url(" not in PAGE
    assert not re.search(r"https?:|//\w+\.", PAGE)
    policy = next(a["content"] for a in of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_figures_stand_inside_with_their_text():
    """Each picture holds its own bytes, its size at half its pixels, and its alternative text."""
    images = of("img")

    assert len(images) == 2
    for image in images:
        assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) == FIGURE.png
        assert (image["width"], image["height"], image["alt"]) == ("300", "100", "Nothing is drawn")


def test_contents_lead_to_every_section():
    """Every link of the contents meets exactly one heading, also where headings repeat."""
    targets = [a["href"].removeprefix("#") for a in of("a") if a["href"] != "#content"]
    ids = [a["id"] for _, a in elements() if "id" in a]

    assert targets == ["what-why", "numbers", "numbers-2", "settings"]
    assert all(ids.count(target) == 1 for target in targets)


def test_table_headings_say_what_they_head():
    """Headings have a scope, the first cell of a row heads it, and numbers are set flush right."""
    scopes = [a["scope"] for a in of("th")]

    assert scopes.count("row") == 4
    assert scopes.count("col") == 5
    assert '<td class="number"><span>0.712</span> <span>(0.600 to 0.800)</span></td>' in PAGE
    assert PAGE.count('class="highlight"') == 2


def test_an_empty_table_says_so():
    """A table without rows is shown with a sentence in place of rows."""
    assert "There are no rows." in PAGE


def test_warnings_are_told_by_words_too():
    """A warning differs from a note in its word, not in colour alone."""
    assert "<strong>Note</strong>Few." in PAGE
    assert "<strong>Caution</strong>Too few." in PAGE


def test_listings_keep_their_lines():
    """Lines and spaces of a listing stay as they are, escaped."""
    assert "<code>a: 1\n  b: &lt;2&gt;</code>" in PAGE


def test_dark_light_and_paper():
    """The page has a dark look and a printed one."""
    assert "prefers-color-scheme: dark" in PAGE
    assert "@media print" in PAGE


def test_the_same_report_gives_the_same_bytes():
    """Nothing of time or chance is in a page."""
    assert render(REPORT) == PAGE


def test_the_verdict_comes_first_and_the_lead_after_it():
    """In one line of its own; a report without a lead has none."""
    page = render(Report("Does it?", "It does not.", (), lead="Of 12 subjects."))

    assert page.index("<h1>Does it?</h1>") < page.index('<p class="verdict">It does not.</p>') < page.index("Of 12")
    assert 'class="lead"' not in PAGE


def test_tables_that_fit_are_left_alone():
    """Nine columns of numbers with their intervals fit, as these break before the interval."""
    row = ("Phantom scans + synthetic", *("0.712 (0.600 to 0.800)",) * 6, "12")
    table = Table(("Arm", *"abcdefg"), (row,), "Scores.")

    assert fitted(table) == (table,)


def test_wide_tables_of_numbers_are_transposed():
    """A few methods under many endpoints become many rows under a few methods."""
    columns = ("Method", *(f"SSIM, contrast {n}" for n in range(16)))
    table = Table(columns, tuple((name, *("0.712",) * 16) for name in ("one", "two")), "Scores.")
    (turned,) = fitted(table)

    assert turned.columns == ("Method", "one", "two")
    assert turned.rows[3] == ("SSIM, contrast 3", "0.712", "0.712")


def test_wide_tables_that_stay_wide_are_split():
    """Each part repeats the columns that name its rows, and nothing is lost."""
    columns = ("Region", "Method", *(f"m{n}" for n in range(24)))
    rows = tuple(
        (region, f"method {n}", *(f"0.{m:03} (0.600 to 0.800)" for m in range(24)))
        for region in ("WT", "TC")
        for n in range(9)
    )
    parts = fitted(Table(columns, rows, "Scores.", frozenset({0, 9})))

    assert len(parts) > 1
    assert all(part.columns[:2] == ("Region", "Method") and part.highlight == {0, 9} for part in parts)
    assert tuple(name for part in parts for name in part.columns[2:]) == columns[2:]
    whole = [sum((row[2:] for row in line), ()) for line in zip(*(part.rows for part in parts), strict=True)]
    assert whole == [row[2:] for row in rows]
    assert parts[1].caption == f"The same rows, part 2 of {len(parts)}."


def test_prose_in_cells_is_broken_between_words():
    """A table of sentences needs no splitting, however long they are."""
    table = Table(("Case", "Found", "What to do"), (("a" * 20, "word " * 60, "other " * 60),), "Findings.")

    assert fitted(table) == (table,)


def test_a_bare_report_is_a_page():
    """Title and verdict alone make a page without contents and footer."""
    page = render(Report("Title", "Lead.", ()))

    elements(page)
    assert "<nav" not in page
    assert "<footer" not in page


def test_headings_without_letters_get_an_anchor():
    """A heading of signs alone can be linked to."""
    assert anchors([Section("?!", ()), Section("…", ())]) == ["section", "section-2"]


@pytest.mark.parametrize(
    ("cells", "flush"),
    [
        (("1", "2.5"), True),
        (("−0.1 to +0.2", "< 0.001"), True),
        (("14 of 14", "1"), False),
        (("12.5 mm", "–"), True),
        ((), False),
    ],
)
def test_columns_of_numbers_are_found(cells, flush):
    """Intervals, bounds, units and dashes are numbers; sentences and empty columns are not."""
    assert numeric_columns(Table(("x",), tuple((cell,) for cell in cells), "scores")) == (flush,)


@pytest.mark.parametrize("look", ["light", "dark"])
def test_text_stands_out_from_its_ground(look):
    """Every colour of text has a contrast of at least 4.5 to every ground it stands on (WCAG 2.2, AA)."""
    blocks = re.findall(r":root \{(.*?)\}", PAGE, flags=re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[0 if look == "light" else 1]))
    pairs = [("ink", "paper"), ("ink", "tint"), ("ink", "mark"), ("soft", "paper"), ("soft", "tint")]
    pairs += [("accent", "paper")]
    pairs += [("ink", "accent-tint"), ("accent", "accent-tint"), ("ink", "warn-tint"), ("warn", "warn-tint")]

    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def luminance(colour):
    """Relative luminance of an sRGB colour."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


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
