"""A report as one self-contained HTML file, and its tables and figures as files of their own.

Style and pictures stand inside; there is no script and no address to ask, and
the page forbids its reader's browser to ask any.  The same report gives the
same bytes.

Files are CSV, LaTeX, PNG and SVG, linked from the page.  Each is named after its section and its number there.  LaTeX
tables need the package `booktabs`; numbers, minus signs and brackets are those of the page.
"""

import base64
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from glioforge.io import write_atomically
from glioforge.report.page import Block, Figure, Folded, Links, Report, Section, Table

_NUMERIC: Final = re.compile(r"^[-−+<>≤≥~ ]*\d[\d.,%–−+/() to]*( ?(mm|ml|s|min|h|GiB|MB|dB))?$|^–?$")
_PIXEL_RATIO: Final = 2
"""Figures are drawn with twice as many pixels as they take on the page."""
_ROOMY: Final = 112
"""Letters in a line of a table, its gaps included, on a screen of 1280 pixels and on a printed A4 page."""
_WIDEST: Final = 136
"""The same where letters are set smaller."""
_GAP: Final = 2
"""Letters that the space between two columns takes."""
_SMALLER: Final = 0.88
"""Size of the letters of intervals, as in the style sheet."""
_PROSE: Final = 24
"""Letters of a cell from which on it may be broken between words."""


def render(report: Report) -> str:
    """Write a report as HTML.

    Args:
        report: A report without sections gives title and lead alone.

    Returns:
        The whole file; text in the report is escaped, never read as markup.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("glioforge.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__.lower()
    environment.filters["is_tall"] = lambda figure: figure.size[1] > 1.2 * figure.size[0]
    environment.filters["data_uri"] = _data_uri
    environment.filters["page_size"] = _page_size
    environment.filters["numeric"] = numeric_columns
    environment.filters["fitted"] = fitted
    environment.filters["is_dense"] = lambda table: _width(table.columns, table.rows) > _ROOMY
    span = Markup("<span>{}</span>")
    environment.filters["parted"] = lambda text: (
        Markup(" ").join(span.format(part) for part in parts) if len(parts := _parted(text)) > 1 else text
    )
    page = environment.get_template("report.html").render(report=report, anchors=anchors(report.sections))
    return f"{page.rstrip()}\n"


def anchors(sections: Iterable[Section]) -> list[str]:
    """An anchor for each section, made of its heading and unique within the report.

    Example:
        >>> anchors([Section("Does it help?", ()), Section("Does it help?", ())])
        ['does-it-help', 'does-it-help-2']
    """
    given: list[str] = []
    for section in sections:
        stem = re.sub(r"[^a-z0-9]+", "-", section.heading.lower()).strip("-") or "section"
        taken = sum(re.fullmatch(rf"{stem}(-\d+)?", anchor) is not None for anchor in given)
        given.append(f"{stem}-{taken + 1}" if taken else stem)
    return given


def numeric_columns(table: Table) -> tuple[bool, ...]:
    """Which columns hold nothing but numbers, intervals and dashes, and are set flush right.

    Example:
        >>> numeric_columns(Table(("arm", "Dice"), (("real", "0.71 (0.60 to 0.80)"), ("both", "–")), "scores"))
        (False, True)
    """
    columns = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.columns)
    return tuple(bool(cells) and all(_NUMERIC.match(cell.strip()) for cell in cells) for cells in columns)


def fitted(table: Table) -> tuple[Table, ...]:
    """The table itself where it fits a page; else transposed, or in parts that repeat the columns that name its rows.

    Args:
        table: Any; the width of its cells is estimated by counting letters.
    """
    if _width(table.columns, table.rows) <= _WIDEST:
        return (table,)
    turned = tuple(zip(table.columns, *table.rows, strict=True))
    numeric = numeric_columns(table)
    if not table.highlight and all(numeric[1:]) and _width(turned[0], turned[1:]) <= _WIDEST:
        return (Table(turned[0], turned[1:], table.caption),)
    names = next((place for place, flush in enumerate(numeric) if flush), 1) or 1
    places = range(names, len(table.columns))
    for count in range(2, len(places) + 1):
        each = -(-len(places) // count)
        chosen = [[*range(names), *places[start : start + each]] for start in range(0, len(places), each)]
        parts = [_columns_of(table, part) for part in chosen]
        if all(_width(*part) <= _WIDEST for part in parts) or each == 1:
            captions = (
                table.caption,
                *(f"The same rows, part {n + 2} of {len(parts)}." for n in range(len(parts) - 1)),
            )
            return tuple(
                replace(table, columns=columns, rows=rows, caption=caption)
                for (columns, rows), caption in zip(parts, captions, strict=True)
            )
    return (table,)


def _columns_of(table: Table, places: Sequence[int]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Headings and rows of some columns."""
    columns, *rows = (tuple(row[place] for place in places) for row in (table.columns, *table.rows))
    return columns, tuple(rows)


def _width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Letters of the narrowest line that a table can be set in."""
    widths = [max(map(_unbroken, cells)) for cells in zip(columns, *rows, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1)


def _unbroken(text: str) -> int:
    """Letters of a cell's longest part: numbers break before their interval, other text between words."""
    if _NUMERIC.match(text.strip()):
        number, *interval = _parted(text)
        return max(len(number), *(round(_SMALLER * len(part)) for part in interval), 0)
    longest = max(map(len, text.split()), default=0)
    return min(_PROSE, max(longest, min(len(text), 12)))


def _parted(text: str) -> tuple[str, ...]:
    """A number and the interval in brackets after it, between which a line may be broken."""
    number, bracket, rest = text.partition(" (")
    return (number, f"({rest}") if bracket and _NUMERIC.match(text.strip()) else (text,)


def _data_uri(figure: Figure) -> str:
    """The figure's file as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(figure.png).decode('ascii')}"


def _page_size(figure: Figure) -> tuple[int, int]:
    """Width and height on the page in CSS pixels."""
    width, height = figure.size
    return max(1, width // _PIXEL_RATIO), max(1, height // _PIXEL_RATIO)


FOLDER: Final = "report-files"
"""Folder next to the page."""
_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "−": "$-$",
    "–": "--",
    "²": "$^2$",
    "³": "$^3$",
    "σ": r"$\sigma$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def with_parts(report: Report, folder: Path) -> Report:
    """Write every table and figure of a report into a folder next to its page, and return it with links to them.

    Files of an earlier page that this one no longer has are removed.

    Args:
        report: One without tables and figures stays as it is.
        folder: Folder of the page.

    Raises:
        OutputError: The folder cannot be written.
    """
    links: dict[str, tuple[str, ...]] = {}
    files: dict[str, bytes] = {}
    for anchor, section in zip(anchors(report.sections), report.sections, strict=True):
        for number, block in enumerate(_parts(section.blocks), 1):
            made = {f"{FOLDER}/{anchor}-{number}.{end}": data for end, data in _contents(block).items()}
            files |= made
            caption = re.sub(r"\s+", " ", block.caption).strip()
            links[f"{section.heading} {number}: {caption.split('. ')[0].rstrip('.')}"] = tuple(made)
    if not files:
        return report
    for name, data in files.items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != data:
            write_atomically(folder / name, data)
    for path in (folder / FOLDER).iterdir():
        if f"{FOLDER}/{path.name}" not in files:
            path.unlink()
    return replace(report, sections=(*report.sections, Section("Tables and figures as files", (Links(links),))))


def csv_of(table: Table) -> str:
    r"""Return a table as CSV, its cells as on the page.

    Example:
        >>> csv_of(Table(("Arm", "Dice"), (("real", "0.71"),), "Scores."))
        'Arm,Dice\nreal,0.71\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((table.columns, *table.rows))
    return text.getvalue()


def latex_of(table: Table) -> str:
    r"""Return a table as LaTeX with its caption, for the package `booktabs`.

    Example:
        >>> print(latex_of(Table(("Arm", "Dice"), (("real", "−0.71"),), "100 % of cases.")))
        \begin{table}
        \caption{100 \% of cases.}
        \begin{tabular}{ll}
        \toprule
        Arm & Dice \\
        \midrule
        real & $-$0.71 \\
        \bottomrule
        \end{tabular}
        \end{table}
        <BLANKLINE>
    """
    head, *rows = (" & ".join(map(_escaped, row)) + r" \\" for row in (table.columns, *table.rows))
    lines = (
        r"\begin{table}",
        rf"\caption{{{_escaped(table.caption)}}}",
        rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        "",
    )
    return "\n".join(lines)


def _parts(blocks: tuple[Block, ...]) -> Iterator[Table | Figure]:
    """Tables and figures in reading order, folded ones too."""
    for block in blocks:
        if isinstance(block, Folded):
            yield from _parts(block.blocks)
        elif isinstance(block, Table | Figure):
            yield block


def _contents(block: Table | Figure) -> dict[str, bytes]:
    """Contents of the files of a table or figure, by their endings."""
    if isinstance(block, Table):
        return {"csv": csv_of(block).encode(), "tex": latex_of(block).encode()}
    return {"png": bytes(block.png), **({"svg": block.svg} if block.svg else {})}


def _escaped(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
