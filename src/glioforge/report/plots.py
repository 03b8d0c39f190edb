"""The figures of reports: subjects under every arm, differences, trainings, funnels, numbers over their floors.

Every function returns the contents of a PNG file; the same input gives the
same bytes.
"""

from collections.abc import Mapping, Sequence
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from glioforge.core import Stage
from glioforge.metrics import Number, metric_named
from glioforge.report.compare import ArmComparison
from glioforge.report.scores import ResultTable
from glioforge.report.style import (
    COLOURS,
    DASHES,
    INK,
    MARKS,
    SOFT,
    banner_of,
    in_words,
    legend_below,
    png,
    sheet,
    tidy,
)
from glioforge.report.tables import Trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_JOINED: Final = 5
"""Arms up to which a line joins the values of each subject."""
MOST_PANELS: Final = 4
"""Scalars of trainings shown."""
_LABEL: Final = 56
"""Characters in a line of an axis's label."""
_FIRST = ("score", "loss", "l1")


def subject_plot(table: ResultTable, arms: Mapping[str, str], regions: Sequence[str], metric: str = "dice") -> bytes:
    """Every subject under every arm, a line an arm and a panel a region, with the mean and its 95 % interval.

    Args:
        table: Results; others than these arms, regions and this metric are passed over.
        arms: Title of each arm by its name, from top to bottom; of a few, thin lines join each subject.
        regions: Regions, a panel each.
        metric: Name of the metric.
    """
    figure = sheet(8.6, 0.34 * len(arms) + 1.0, gap_inch=0.08)
    panels = figure.subplots(1, len(regions), sharey=True, squeeze=False)[0]
    for region, axes in zip(regions, panels, strict=True):
        tidy(axes, grid="x")
        axes.set_title(region, fontsize=10, color=INK)
        scores = [table.scores(arm, region, metric).by_subject() for arm in arms]
        for subject in sorted({name for found in scores for name in found}):
            line = "-" if len(arms) <= MOST_JOINED else ""
            places = np.arange(len(arms)) - 0.12
            values = [found.get(subject, np.nan) for found in scores]
            axes.plot(values, places, marker="o", linestyle=line, color=SOFT, linewidth=0.6, markersize=3, alpha=0.6)
        for place, arm in enumerate(arms):
            _mean(axes, place, table, (arm, region, metric))
        axes.set_xlabel(metric_named(metric).heading)
        axes.locator_params(axis="x", nbins=max(4, 8 // len(regions)))
    panels[0].set_yticks(range(len(arms)), list(arms.values()), fontsize=9)
    panels[0].set_ylim(len(arms) - 0.4, -0.6)
    return png(figure, banner=banner_of(arms.values()))


def difference_plot(comparisons: Sequence[ArmComparison], arms: Mapping[str, str], label: str) -> bytes:
    """Mean paired difference of each arm and region from the reference with its 95 % interval.

    Args:
        comparisons: One an arm and region; arms without title are passed over.
        arms: Title of each arm by its name, in order.
        label: What the horizontal axis shows, with unit and direction.
    """
    shown = [c for c in comparisons if c.arm in arms]
    figure = sheet(7.2, 0.32 * len(shown) + 0.85 + 0.15 * len(wrap(label, _LABEL)))
    axes = figure.subplots()
    tidy(axes, grid="x")
    axes.axvline(0, color=INK, linewidth=1)
    names = list(arms)
    for place, entry in enumerate(shown):
        look = names.index(entry.arm) % len(COLOURS)
        difference = entry.comparison.difference
        if difference.known:
            axes.plot([difference.low, difference.high], [place, place], color=COLOURS[look], linewidth=1.8)
        axes.plot([difference.estimate], [place], MARKS[look], color=COLOURS[look], markersize=6)
    axes.set_yticks(range(len(shown)), [f"{c.region}   {arms[c.arm]}" for c in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel(fill(label, _LABEL))
    return png(figure, banner=banner_of(arms.values()))


def training_plot(
    trainings: Sequence[Trained], titles: Sequence[str], scalars: Mapping[str, str] | None = None
) -> bytes:
    """What trainings recorded while they ran, a panel a scalar, with a ring where a score levelled off.

    Args:
        trainings: May be empty; trainings of one title share a look.
        titles: All titles in the order that gives them their looks, with or without a training.
        scalars: Title of each scalar by its name; chosen by how many trainings have it unless given.
    """
    named = scalars or {name: name.replace("_", " ") for name in _shared_scalars(trainings)}
    rows = (len(named) + 1) // 2
    figure = sheet(8.6, 2.6 * rows + 0.5, gap_inch=0.08)
    panels = figure.subplots(rows, 2 if len(named) > 1 else 1, squeeze=False).ravel()
    for (name, title), axes in zip(named.items(), panels, strict=False):
        tidy(axes)
        axes.set_title(title, fontsize=9.5, color=INK)
        axes.set_xlabel("optimiser steps")
        for training in trainings:
            _curve(axes, training, name, look_of(titles.index(training.title)))
    for axes in panels[len(named) :]:
        axes.set_visible(False)
    trained = {training.title for training in trainings}
    for place, title in enumerate(titles):
        if title in trained:
            panels[0].plot([], [], **look_of(place), linewidth=1.3, label=title)
    if trained:
        legend_below(figure, trained)
    return png(figure, banner=banner_of(trained))


def funnel(stages: Sequence[Stage], banner: str = "") -> bytes:
    """How many cases are left after each filter, as bars with counts.

    Args:
        stages: From all cases made to the last filter; may be empty.
        banner: Warning above the bars.
    """
    figure = sheet(7.2, 0.42 * len(stages) + 0.4)
    axes = figure.subplots()
    axes.set_axis_off()
    most = max((stage.count for stage in stages), default=0) or 1
    for place, stage in enumerate(stages):
        axes.barh(place, stage.count / most, height=0.66, color=COLOURS[0] if place else SOFT)
        axes.text(-0.015, place, in_words(stage.name), ha="right", va="center", fontsize=9, color=INK)
        axes.text(stage.count / most + 0.01, place, str(stage.count), va="center", fontsize=9, color=INK)
    axes.set_ylim(len(stages) - 0.4, -0.6)
    axes.set_xlim(-0.3, 1.08)
    return png(figure, banner=banner)


def look_of(place: int) -> dict[str, Any]:
    """Colour and dashes of an arm; no two of the first 49 are alike."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": DASHES[(place + place // len(COLOURS)) % len(DASHES)],
    }


def _mean(axes: "Axes", place: int, table: ResultTable, key: tuple[str, str, str]) -> None:
    """The mean of an arm with its interval, a little below its subjects."""
    interval = table.interval(*key)
    if not interval.count:
        axes.text(0.5, place, "no results", transform=axes.get_yaxis_transform(), ha="center", va="center", color=SOFT)
        return
    colour = COLOURS[place % len(COLOURS)]
    if interval.known:
        axes.plot([interval.low, interval.high], [place + 0.12] * 2, color=colour, linewidth=2.2)
    mark = MARKS[place % len(MARKS)]
    axes.plot([interval.estimate], [place + 0.12], mark, color=colour, markersize=6.5, markeredgecolor="white")


def _curve(axes: "Axes", training: Trained, name: str, look: Mapping[str, Any]) -> None:
    """One scalar of one training; the ring stands at its last step."""
    points = [(float(row["step"] or 0), y) for row in training.history if (y := row.get(name)) is not None]
    if not points:
        return
    axes.plot(*zip(*points, strict=True), **look, linewidth=1.3, alpha=0.85)
    if name == "score" and training.plateaued:
        axes.plot(*points[-1], "o", markersize=8, markerfacecolor="none", color=look["color"])


def _shared_scalars(trainings: Sequence[Trained]) -> list[str]:
    """Scalars to show: scores and plain losses first, then those that most trainings have."""
    counts: dict[str, int] = {}
    for training in trainings:
        for name in dict.fromkeys(k for row in training.history for k in row if k != "step" and row[k] is not None):
            counts[name] = counts.get(name, 0) + 1
    shared = [name for name, count in counts.items() if count > 1] or list(counts)
    order = sorted(shared, key=lambda name: (_FIRST.index(name) if name in _FIRST else 9, -counts[name], name))
    return order[:MOST_PANELS] or ["loss"]


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


def snapshot_curve(rows: Sequence[Mapping[str, Any]], *, best_step: int, grown: int) -> bytes:
    """Draw the distance to real maps over steps as a PNG file; a band for each resolution, a ring at the kept snapshot.

    Args:
        rows: Snapshots in order, each with `step`, `side` (pixels of the level in use) and `distance`; at least one.
        best_step: Step of the snapshot that is kept.
        grown: Step from which the last level is in use whole.
    """
    figure = sheet(7.2, 3.2, gap_inch=0.08)
    axes = figure.subplots()
    tidy(axes)
    steps, distances = [row["step"] for row in rows], [row["distance"] for row in rows]
    axes.plot(steps, distances, color=COLOURS[0], linewidth=1.4, marker="o", markersize=3)
    kept = [(step, value) for step, value in zip(steps, distances, strict=True) if step == best_step]
    for step, value in kept:
        axes.plot(step, value, "o", markersize=10, markerfacecolor="none", color=COLOURS[1], label=f"kept: step {step}")
    if grown <= steps[-1]:
        axes.axvline(grown, color=SOFT, linewidth=1, linestyle="--", label="last level in use whole")
    starts = [n for n, row in enumerate(rows) if not n or row["side"] != rows[n - 1]["side"]]
    for number in starts:
        text = f"{rows[number]['side']} px"
        axes.annotate(
            text, (steps[number], distances[number]), (0, 8), textcoords="offset points", fontsize=8, color=INK
        )
    axes.set_ylim(bottom=0, top=1.12 * max(distances))
    axes.set_xlabel("optimiser steps")
    axes.set_ylabel("sliced Wasserstein distance\nto held-out maps")
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    return png(figure, vector=False)
