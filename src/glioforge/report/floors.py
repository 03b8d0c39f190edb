"""A figure of numbers about two cohorts, each over the band that two real halves give."""

from collections.abc import Mapping
from typing import Final

from glioforge.metrics import Number
from glioforge.report.style import COLOURS, INK, SOFT, png, sheet, tidy

_LEAST: Final = 1e-9


def floor_plot(numbers: Mapping[str, Number], *, is_share: bool = False) -> bytes:
    """Draw a row a number: grey what two real halves give (central 95 %), a dot with interval for the synthetic cases.

    Args:
        numbers: By the title of the row, from top to bottom; may be empty.
        is_share: Whether the numbers are shares on one axis; others are divided by the upper end of their own floor,
            so that 1 is the edge of what is usual, on an axis that is linear up to 1 and logarithmic beyond.
    """
    figure = sheet(8.4, 0.3 * len(numbers) + 0.9)
    axes = figure.subplots()
    tidy(axes, grid="x")
    for place, number in enumerate(numbers.values()):
        scale = 1.0 if is_share else max(abs(number.floor_high), _LEAST)
        ends = [end / scale for end in (number.floor_low, number.floor_high, number.low, number.high)]
        axes.plot(ends[:2], [place] * 2, color=SOFT, linewidth=7, alpha=0.45, solid_capstyle="butt")
        axes.plot([number.floor / scale] * 2, [place - 0.24, place + 0.24], color=INK, linewidth=1)
        colour = COLOURS[0] if number.is_usual else COLOURS[1]
        axes.plot(ends[2:], [place] * 2, color=colour, linewidth=1.6)
        axes.plot([number.value / scale], [place], "o", color=colour, markersize=5.5, markeredgecolor="white")
    if not is_share:
        axes.set_xscale("symlog", linthresh=1.0)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
        axes.axvline(1, color=INK, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.set_yticks(range(len(numbers)), list(numbers), fontsize=8.5)
    axes.set_ylim(len(numbers) - 0.4, -0.6)
    axes.set_xlabel("value" if is_share else "number over the upper end of its floor (1: the edge of what is usual)")
    return png(figure)
