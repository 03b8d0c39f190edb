"""How figures are drawn: one look, no window, no global state, the same bytes each time, and marks that stay.

Colours are those of Okabe & Ito (2008), which readers with any colour vision
can distinguish; marks and dashes differ too.  A figure of leaks or of synthetic
cases of unknown provenance stays marked when it leaves its page.
"""

import io
import warnings
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Final

from glioforge.report.page import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of arms, in order."""
MARKS: Final = ("o", "s", "^", "D", "v", "P", "X")
"""Marks of arms, in order."""
DASHES: Final[tuple[Any, ...]] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (8, 2)), (0, (3, 3)), "-.")
"""Dashes of arms, in order."""
INK: Final = "#1b2430"
SOFT: Final = "#7b8794"
ALARM: Final = "#a3140f"
_DPI: Final = 200
_COLUMNS: Final = 3
"""Most columns of a legend, and rows that a figure has room for as it is."""
_LETTERS: Final = 100
"""Letters of a legend that stand side by side in a figure of the usual width."""
_MARK: Final = 8
"""Letters that the mark of a title and the gap after it are as wide as."""
_ROW_INCH: Final = 0.17


def sheet(width_inch: float, height_inch: float, *, gap_inch: float = 0.05) -> "Figure":
    """An empty figure that belongs to no window; `gap_inch` is kept free around every part."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=gap_inch, h_pad=gap_inch, wspace=0.0, hspace=0.0)
    figure = Figure(figsize=(width_inch, height_inch), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def png(figure: "Figure", *, vector: bool = True, banner: str = "") -> bytes:
    """Draw the figure as a PNG file without time and version, so that bytes depend on the drawing alone.

    A `banner` stands above all panels, so that the drawing carries its warning wherever it is copied to.
    Unless `vector` is off, as for pictures of voxels, the bytes carry the same drawing as SVG.

    Text is drawn as it is: a `$` in the name of a case begins no formula, and letters that the font lacks are boxes.
    """
    from matplotlib.text import Text

    if banner:
        figure.set_figheight(figure.get_figheight() + 0.2 * len(banner.splitlines()))
        figure.suptitle(banner, fontsize=8.5, fontweight="bold", color=ALARM)
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
        return Drawing(buffer.getvalue(), _svg(figure)) if vector else buffer.getvalue()


def _svg(figure: "Figure") -> bytes:
    """The figure as SVG with text as text and names that depend on the drawing alone."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "glioforge", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def legend_below(figure: "Figure", titles: Collection[str]) -> None:
    """Put a legend below the panels, in as many columns as its titles leave room for, and make room for its rows."""
    columns = max(1, min(_COLUMNS, _LETTERS // (max(map(len, titles), default=1) + _MARK)))
    rows = -(-len(titles) // columns)
    figure.set_figheight(figure.get_figheight() + _ROW_INCH * max(0, rows - _COLUMNS))
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=8, labelcolor=INK)


def tidy(axes: "Axes", *, grid: str = "y") -> None:
    """Draw axes in the look of all reports: no box, soft grid along one axis behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(colors=INK, labelsize=8, length=3, color=SOFT)
    axes.grid(axis=grid, color="#e3e7ec", linewidth=0.8)  # type: ignore[arg-type]  # a plain string
    axes.set_axisbelow(True)
    axes.xaxis.label.set_fontsize(9)
    axes.yaxis.label.set_fontsize(9)


def in_words(name: str) -> str:
    """Write the name of a label or filter as in running text."""
    return "CSF" if name == "csf" else name.replace("_", " ")


LEAKY: Final = "LEAKY"
"""Slices of one person were trained on and tested."""
UNVERIFIED: Final = "provenance unverified"
"""Nobody declared which subjects are behind synthetic cases."""
_SENTENCES: Final = {
    LEAKY: "LEAKY: arms so marked were tested on people they were trained on",
    UNVERIFIED: "Provenance unverified: exploratory",
}


def banner_of(titles: Iterable[str]) -> str:
    """Return what a figure of these arms says above its panels; empty where no title bears a mark.

    Example:
        >>> banner_of(["Real", "Other tool (provenance unverified)"])
        'Provenance unverified: exploratory'
        >>> banner_of(["Real"])
        ''
    """
    shown = tuple(titles)
    return "\n".join(text for mark, text in _SENTENCES.items() if any(mark in title for title in shown))
