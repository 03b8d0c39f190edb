"""Figures of an audit: bounds next to their limits, ROC curves, and planted copies next to different people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from glioforge.report.style import ALARM, COLOURS, DASHES, INK, SOFT, png, sheet, tidy

_ROW: Final = 0.34


@final
@dataclass(frozen=True)
class Bounded:
    """A measure with its bound and limit.

    Args:
        title: Of the row.
        estimate: The measure.
        bound: Its upper bound.
        limit: The largest bound that passes.
        chance: Its value without a leak.
    """

    title: str
    estimate: float
    bound: float
    limit: float
    chance: float


def bound_plot(rows: Sequence[Bounded]) -> bytes:
    """Draw a row a measure: chance at 0, the limit at 1, a dot for the estimate and a line up to the bound.

    Args:
        rows: From top to bottom; at least one.
    """
    figure = sheet(8.4, _ROW * len(rows) + 0.9)
    axes = figure.subplots()
    tidy(axes, grid="x")
    for place, row in enumerate(rows):
        low, high = ((value - row.chance) / (row.limit - row.chance) for value in (row.estimate, row.bound))
        colour = COLOURS[0] if row.bound <= row.limit else COLOURS[1]
        axes.plot([low, high], [place] * 2, color=colour, linewidth=1.8)
        axes.plot([low], [place], "o", color=colour, markersize=5.5, markeredgecolor="white")
        axes.plot([high] * 2, [place - 0.22, place + 0.22], color=colour, linewidth=1.8)
    axes.axvline(1, color=INK, linewidth=0.9, linestyle=(0, (3, 3)))
    axes.axvline(0, color=SOFT, linewidth=0.9)
    axes.set_xscale("symlog", linthresh=2.0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{round(value, 2):g}".replace("-", "−"))
    axes.set_yticks(range(len(rows)), [row.title for row in rows], fontsize=8.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("measure on the scale of its limit (0: no leak; 1: the limit)")
    return png(figure)


def roc_plot(curves: Mapping[str, Sequence[Sequence[float]]]) -> bytes:
    """Draw the ROC curves of attacks, on plain axes and with the false-positive rate on a logarithmic one.

    Args:
        curves: False- and true-positive rates of each attack, by its title; at least one.
    """
    figure = sheet(8.4, 3.7 + 0.16 * len(curves))
    panels = figure.subplots(1, 2)
    for panel in panels:
        tidy(panel, grid="both")
        panel.plot([0.001, 1], [0.001, 1], color=SOFT, linewidth=0.9)
        panel.set_xlabel("held-out subjects taken for training subjects")
        for place, (title, (false, true)) in enumerate(curves.items()):
            look = {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place % len(DASHES)]}
            panel.plot(false, true, linewidth=1.5, label=title, **look)
    panels[0].set_ylabel("training subjects recognised")
    panels[1].set_xscale("log")
    panels[1].set_xlim(0.002, 1)
    panels[1].set_xticks([0.01, 0.05, 0.1, 0.5, 1.0], ["0.01", "0.05", "0.1", "0.5", "1"])
    panels[1].set_xticks([], minor=True)
    panels[1].axvline(0.05, color=ALARM, linewidth=0.8, linestyle=(0, (3, 3)))
    handles, titles = panels[0].get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return png(figure)


def planted_plot(
    planted: Mapping[str, Sequence[float]], made: Sequence[float], people: Sequence[float], threshold: float
) -> bytes:
    """Draw how near planted copies, synthetic cases and different people come to a training subject.

    Args:
        planted: Nearness of the planted copies of each disguise to their source.
        made: Nearness of each synthetic case to the nearest training subject.
        people: The same of control subjects.
        threshold: Nearness from which on a pair counts as a near copy.
    """
    rows = {"different people": people, "synthetic cases": made, **{f"planted: {k}": v for k, v in planted.items()}}
    figure = sheet(8.4, _ROW * len(rows) + 0.9)
    axes = figure.subplots()
    tidy(axes, grid="x")
    for place, (title, values) in enumerate(rows.items()):
        colour = COLOURS[0] if title.startswith("planted") else (COLOURS[1] if title.startswith("syn") else SOFT)
        axes.plot(values, [place] * len(values), "|", color=colour, markersize=9, markeredgewidth=0.9)
    axes.axvline(threshold, color=INK, linewidth=0.9, linestyle=(0, (3, 3)))
    axes.set_yticks(range(len(rows)), list(rows), fontsize=8.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("nearness (0: median of synthetic cases; 1: their 90th percentile); dashed: threshold")
    return png(figure)
