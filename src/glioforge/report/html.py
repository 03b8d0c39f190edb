"""A report as one HTML file that needs nothing beside itself.

Style and pictures stand inside; there is no script and no address to ask, and
the page forbids its reader's browser to ask any.  The same report gives the
same bytes.
"""

import base64
import re
from collections.abc import Iterable
from typing import Final

from glioforge.report.page import Figure, Report, Section, Table

_NUMERIC: Final = re.compile(r"^[-−+<>≤≥~ ]*\d[\d.,%–−+/() to]*( ?(mm|ml|s|min|h|GiB|MB|dB))?$|^–?$")
_PIXEL_RATIO: Final = 2
"""Figures are drawn with twice as many pixels as they take on the page."""


def render(report: Report) -> str:
    """Write a report as HTML.

    Args:
        report: A report without sections gives title and lead alone.

    Returns:
        The whole file; text in the report is escaped, never read as markup.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("glioforge.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__.lower()
    environment.filters["data_uri"] = _data_uri
    environment.filters["page_size"] = _page_size
    environment.filters["numeric"] = numeric_columns
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


def _data_uri(figure: Figure) -> str:
    """The figure's file as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(figure.png).decode('ascii')}"


def _page_size(figure: Figure) -> tuple[int, int]:
    """Width and height on the page in CSS pixels."""
    width, height = figure.size
    return max(1, width // _PIXEL_RATIO), max(1, height // _PIXEL_RATIO)
