"""Figures of comparisons: many methods in one panel, and how their trainings went.

Every function returns the contents of a PNG file; the same input gives the
same bytes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import bootstrap_mean
from glioforge.report.compare import metric_shown, scores_of
from glioforge.report.style import COLOURS, DASHES, INK, MARKS, SOFT, png, sheet, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS = 4
"""Scalars of trainings shown."""
_FIRST = ("score", "loss", "l1")


def method_plot(
    rows: Sequence[ResultRow], methods: Mapping[str, str], regions: Sequence[str], metric: str, *, seed: int = 0
) -> bytes:
    """Every subject under every method, a line a method and a panel a region, with the mean and its 95 % interval.

    Args:
        rows: Results; others than these methods, regions and this metric are passed over.
        methods: Title of each method by its name, from top to bottom.
        regions: Regions, a panel each.
        metric: Name of the metric.
        seed: Of the intervals.
    """
    figure = sheet(8.6, 0.34 * len(methods) + 1.0, gap_inch=0.08)
    panels = figure.subplots(1, len(regions), sharey=True, squeeze=False)[0]
    for region, axes in zip(regions, panels, strict=True):
        tidy(axes, grid="x")
        axes.set_title(region, fontsize=10, color=INK)
        for place, method in enumerate(methods):
            _subjects_and_mean(axes, place, scores_of(rows, method, region, metric).values, seed)
        axes.set_xlabel(metric_shown(metric).heading)
        axes.locator_params(axis="x", nbins=max(4, 8 // len(regions)))
    panels[0].set_yticks(range(len(methods)), list(methods.values()), fontsize=9)
    panels[0].set_ylim(len(methods) - 0.4, -0.6)
    return png(figure)


def training_panels(histories: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], titles: Sequence[str]) -> bytes:
    """What trainings noted while they ran, a panel a scalar; one that a single training has is left out.

    Args:
        histories: Title and rows of each training, with `step` and scalars; trainings of one title share a look.
        titles: All methods in the order that gives them their looks, with or without a training.
    """
    names = _shared_scalars(histories)
    figure = sheet(8.6, 2.5 * ((len(names) + 1) // 2) + 0.5, gap_inch=0.08)
    panels = figure.subplots((len(names) + 1) // 2, 2 if len(names) > 1 else 1, squeeze=False).ravel()
    for name, axes in zip(names, panels, strict=False):
        tidy(axes)
        axes.set_title(name.replace("_", " "), fontsize=9.5, color=INK)
        axes.set_xlabel("optimiser steps")
        for title, rows in histories:
            points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), **look_of(titles.index(title)), linewidth=1.3)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    trained = [title for title in titles if any(title == named for named, _ in histories)]
    for title in trained:
        panels[0].plot([], [], **look_of(titles.index(title)), linewidth=1.3, label=title)
    if trained:
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return png(figure)


def look_of(place: int) -> dict[str, Any]:
    """Colour and dashes of a method; no two of the first 49 are alike."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": DASHES[(place + place // len(COLOURS)) % len(DASHES)],
    }


def _shared_scalars(histories: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[str]:
    """Scalars to show: scores and plain losses first, then those that most trainings have."""
    counts: dict[str, int] = {}
    for _, rows in histories:
        for name in dict.fromkeys(key for row in rows for key in row if key != "step" and row[key] is not None):
            counts[name] = counts.get(name, 0) + 1
    shared = [name for name, count in counts.items() if count > 1] or list(counts)
    order = sorted(shared, key=lambda name: (_FIRST.index(name) if name in _FIRST else 9, -counts[name], name))
    return order[:MOST_PANELS] or ["loss"]


def _subjects_and_mean(axes: "Axes", place: int, values: np.ndarray, seed: int) -> None:
    """A method's subjects as small dots, and its mean below them."""
    if not len(values):
        axes.text(0.5, place, "not made", transform=axes.get_yaxis_transform(), ha="center", va="center", color=SOFT)
        return
    colour = COLOURS[place % len(COLOURS)]
    means = np.nanmean(values, axis=1)
    axes.plot(means, np.full(len(means), place - 0.12), "o", color=SOFT, markersize=3, alpha=0.7)
    interval = bootstrap_mean(values, seed=seed)
    if interval.known:
        axes.plot([interval.low, interval.high], [place + 0.12] * 2, color=colour, linewidth=2.2)
    mark = MARKS[place % len(MARKS)]
    axes.plot([interval.estimate], [place + 0.12], mark, color=colour, markersize=6.5, markeredgecolor="white")
