"""The figures of reports: grids of slices, training curves, arms against each other, funnels.

Every function returns the contents of a PNG file; the same input gives the
same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from glioforge.core.errors import OutputError
from glioforge.core.labels import LabelScheme
from glioforge.core.verdict import Stage
from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import bootstrap_mean
from glioforge.report.compare import ArmComparison, metric_shown, scores_of
from glioforge.report.slices import Picture
from glioforge.report.style import COLOURS, DASHES, INK, MARKS, SOFT, png, sheet, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SLICE_CONVENTION: Final = (
    "Axial slices in radiological display: anterior is up, and the patient's left (L) is on the picture's right."
)
"""Belongs into the caption of every grid of slices."""


@final
@dataclass(frozen=True)
class Curve:
    """Validation scores of one training.

    Args:
        title: Name in the legend; curves of one title share a colour.
        steps: Optimiser steps at which the score was taken.
        scores: The scores.
        plateau: Step at which training was declared to have levelled off, if it was.
    """

    title: str
    steps: Sequence[int]
    scores: Sequence[float]
    plateau: int | None = None


def picture_grid(
    rows: Sequence[tuple[str, Sequence[Picture]]], columns: Sequence[str], *, cell_inch: float = 1.75
) -> bytes:
    """Pictures in rows and columns, each row named, marked R and L.

    Args:
        rows: Name and pictures of each row; a short row leaves cells empty.
        columns: Titles of the columns.
        cell_inch: Width of a cell.

    Raises:
        OutputError: There is no picture, or a row has more pictures than there are columns.
    """
    longest = max((len(pictures) for _, pictures in rows), default=0)
    if not longest or longest > len(columns):
        raise OutputError(f"a row of {longest} pictures for {len(columns)} column titles", "1 to as many as titles")
    tallest = max(p.pixels.shape[0] / p.pixels.shape[1] for _, pictures in rows for p in pictures)
    figure = sheet(cell_inch * len(columns) + 0.5, cell_inch * tallest * len(rows) + 0.3, gap_inch=0.02)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for (name, pictures), line in zip(rows, grid, strict=True):
        for column, axes in enumerate(line):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            if column < len(pictures):
                _show(axes, pictures[column])
        line[0].set_ylabel(name, fontsize=8.5, color=INK, visible=True)
    for axes, title in zip(grid[0], columns, strict=True):
        axes.set_title(title, fontsize=9, color=INK, pad=4)
    return png(figure)


def label_legend(scheme: LabelScheme) -> bytes:
    """The colours of a scheme's labels with their names, in one line."""
    names = [name for name in scheme.labels if name != "background"]
    figure = sheet(1.1 * len(names), 0.35)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(0, len(names))
    axes.set_ylim(-1, 1)
    for place, name in enumerate(names):
        colour = np.array(scheme.colours.get(name, (128, 128, 128))) / 255
        axes.plot([place + 0.08], [0], "s", color=colour, markeredgecolor=SOFT, markersize=9)
        axes.text(place + 0.2, 0, _in_words(name), va="center", fontsize=8, color=INK)
    return png(figure)


def curves(histories: Sequence[Curve], score: str = "validation score") -> bytes:
    """Validation scores against steps, with a ring where a training levelled off.

    Args:
        histories: May be empty; curves of one title share colour and dashes.
        score: What the vertical axis shows, with its unit.
    """
    figure = sheet(7.2, 3.2)
    axes = figure.subplots()
    tidy(axes)
    titles = list(dict.fromkeys(curve.title for curve in histories))
    for curve in histories:
        look = titles.index(curve.title) % len(COLOURS)
        axes.plot(curve.steps, curve.scores, color=COLOURS[look], linestyle=DASHES[look], linewidth=1.4, alpha=0.85)
        if curve.plateau is not None:
            height = float(np.interp(curve.plateau, curve.steps, curve.scores))
            axes.plot([curve.plateau], [height], "o", markersize=8, markerfacecolor="none", color=COLOURS[look])
    for look, title in enumerate(titles):
        shown = look % len(COLOURS)
        axes.plot([], [], color=COLOURS[shown], linestyle=DASHES[shown], linewidth=1.4, label=title)
    if titles:
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.set_xlabel("optimiser steps")
    axes.set_ylabel(score)
    return png(figure)


def arm_plot(
    rows: Sequence[ResultRow], arms: Mapping[str, str], regions: Sequence[str], metric: str = "dice", *, seed: int = 0
) -> bytes:
    """Every subject under every arm, joined, with the mean and its 95 % interval, a panel a region.

    Args:
        rows: Results; others than these arms, regions and this metric are passed over.
        arms: Title of each arm by its name, in order.
        regions: Regions, a panel each.
        metric: Name of the metric.
        seed: Of the intervals.
    """
    figure = sheet(max(7.2, 0.85 * len(arms) * len(regions) + 1.2), 3.6)
    panels = figure.subplots(1, len(regions), sharey=True, squeeze=False)[0]
    for region, axes in zip(regions, panels, strict=True):
        tidy(axes)
        axes.set_title(region, fontsize=10, color=INK)
        scores = [scores_of(rows, arm, region, metric) for arm in arms]
        _join_subjects(axes, [score.by_subject() for score in scores])
        for place, score in enumerate(scores):
            _mean_with_interval(axes, place, score.values, seed)
        axes.set_xticks(range(len(arms)), list(arms.values()), rotation=30, ha="right", fontsize=8)
        axes.set_xlim(-0.5, len(arms) - 0.4)
    panels[0].set_ylabel(metric_shown(metric).heading)
    return png(figure)


def difference_plot(comparisons: Sequence[ArmComparison], arms: Mapping[str, str], label: str) -> bytes:
    """Mean paired difference of each arm and region from the baseline with its 95 % interval.

    Args:
        comparisons: One an arm and region; arms without title are passed over.
        arms: Title of each arm by its name, in order.
        label: What the horizontal axis shows, with unit and direction.
    """
    shown = [c for c in comparisons if c.arm in arms]
    figure = sheet(7.2, 0.32 * len(shown) + 1.0)
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
    axes.set_xlabel(label)
    return png(figure)


def funnel(stages: Sequence[Stage]) -> bytes:
    """How many cases are left after each filter, as bars with counts.

    Args:
        stages: From all cases made to the last filter; may be empty.
    """
    figure = sheet(7.2, 0.42 * len(stages) + 0.4)
    axes = figure.subplots()
    axes.set_axis_off()
    most = max((stage.count for stage in stages), default=0) or 1
    for place, stage in enumerate(stages):
        axes.barh(place, stage.count / most, height=0.66, color=COLOURS[0] if place else SOFT)
        axes.text(-0.015, place, _in_words(stage.name), ha="right", va="center", fontsize=9, color=INK)
        axes.text(stage.count / most + 0.01, place, str(stage.count), va="center", fontsize=9, color=INK)
    axes.set_ylim(len(stages) - 0.4, -0.6)
    axes.set_xlim(-0.3, 1.08)
    return png(figure)


def _in_words(name: str) -> str:
    """A name as in running text."""
    return "CSF" if name == "csf" else name.replace("_", " ")


def _show(axes: "Axes", picture: Picture) -> None:
    """Draw a picture with its outlines, its sides and its text."""
    axes.imshow(picture.pixels, interpolation="nearest")
    for outline in picture.outlines:
        if not outline.mask.all() and min(outline.mask.shape) > 1:
            axes.contour(outline.mask.astype(float), [0.5], colors=[np.array(outline.colour) / 255], linewidths=0.9)
    if picture.is_blank:
        return
    small: dict[str, Any] = {"color": "#d8dee6", "fontsize": 6, "transform": axes.transAxes, "va": "center"}
    axes.text(0.02, 0.5, "R", ha="left", **small)
    axes.text(0.98, 0.5, "L", ha="right", **small)
    if picture.text:
        axes.text(0.5, 0.03, picture.text, ha="center", **small)


def _join_subjects(axes: "Axes", arms: Sequence[Mapping[str, float]]) -> None:
    """A thin line a subject, through its values under all arms."""
    subjects = sorted({subject for arm in arms for subject in arm})
    for subject in subjects:
        values = [arm.get(subject, np.nan) for arm in arms]
        axes.plot(range(len(arms)), values, "o-", color=SOFT, linewidth=0.7, markersize=2.5, alpha=0.6)


def _mean_with_interval(axes: "Axes", place: int, values: np.ndarray, seed: int) -> None:
    """The mean of an arm, a little to the right of its subjects."""
    if not len(values):
        return
    interval = bootstrap_mean(values, seed=seed)
    look = place % len(COLOURS)
    x = place + 0.2
    if interval.known:
        axes.plot([x, x], [interval.low, interval.high], color=COLOURS[look], linewidth=2.2)
    axes.plot([x], [interval.estimate], MARKS[look], color=COLOURS[look], markersize=6.5, markeredgecolor="white")
