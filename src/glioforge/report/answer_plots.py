"""The one figure under the verdict: arms as layers upon each other, or learning curves where sizes vary."""

from collections.abc import Mapping, Sequence

import numpy as np

from glioforge.metrics import metric_named
from glioforge.report.scores import ResultTable
from glioforge.report.style import COLOURS, INK, MARKS, banner_of, legend_below, png, sheet, tidy
from glioforge.report.words import number

Place = tuple[str, str]


def ablation_plot(table: ResultTable, arms: Mapping[str, str], references: Mapping[str, str], endpoint: Place) -> bytes:
    """Mean of each arm with its interval, and a bar from the mean of its reference: what the layer adds.

    Args:
        table: Results.
        arms: Title of each arm by its name, from top to bottom.
        references: Arm that each arm is compared with; arms without one have no bar.
        endpoint: Metric and region.
    """
    metric, region = endpoint
    shown = metric_named(metric)
    figure = sheet(7.6, 0.42 * len(arms) + 0.9, gap_inch=0.08)
    axes = figure.subplots()
    tidy(axes, grid="x")
    for place, arm in enumerate(arms):
        mine = table.interval(arm, region, metric)
        if not mine.count:
            continue
        colour = COLOURS[place % len(COLOURS)]
        base = table.interval(references.get(arm, arm), region, metric).estimate
        if arm in references and np.isfinite(base):
            axes.barh(place, mine.estimate - base, left=base, height=0.5, color=colour, alpha=0.25)
            axes.plot([base, base], [place - 0.36, place + 0.36], color=INK, linewidth=1)
            text = number(mine.estimate - base, shown.unit, signed=True)
            axes.annotate(text, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=INK)
        if mine.known:
            axes.plot([mine.low, mine.high], [place, place], color=colour, linewidth=1.8)
        axes.plot([mine.estimate], [place], MARKS[place % len(MARKS)], color=colour, markersize=6)
    axes.set_yticks(range(len(arms)), list(arms.values()), fontsize=9)
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.set_xlabel(f"{shown.heading}, {region} over regions" if region == "mean" else f"{shown.heading}, {region}")
    return png(figure, banner=banner_of(arms.values()))


def learning_plot(
    table: ResultTable, curves: Mapping[str, Sequence[tuple[float, str]]], endpoint: Place, label: str
) -> bytes:
    """Mean score over the amount of real training data, a curve for each kind of arm, with intervals.

    Args:
        table: Results.
        curves: Amounts, each with the name of its arm, by the title of the curve.
        endpoint: Metric and region.
        label: What the horizontal axis shows.
    """
    metric, region = endpoint
    figure = sheet(7.2, 3.6, gap_inch=0.08)
    axes = figure.subplots()
    tidy(axes)
    for place, (title, points) in enumerate(curves.items()):
        found = [(size, table.interval(arm, region, metric)) for size, arm in sorted(points)]
        known = [(size, interval) for size, interval in found if interval.count]
        colour, shift = COLOURS[place % len(COLOURS)], 1 + 0.015 * (place - (len(curves) - 1) / 2)
        sizes = [size * shift for size, _ in known]
        mark = MARKS[place % len(MARKS)]
        axes.plot(sizes, [i.estimate for _, i in known], marker=mark, color=colour, linewidth=1.5, label=title)
        for size, (_, interval) in zip(sizes, known, strict=True):
            if interval.known:
                axes.plot([size, size], [interval.low, interval.high], color=colour, linewidth=1, alpha=0.7)
    ticks = sorted({size for points in curves.values() for size, _ in points})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(label)
    axes.set_ylabel(metric_named(metric).heading)
    legend_below(figure, curves)
    return png(figure, banner=banner_of(curves))
