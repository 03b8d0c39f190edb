"""Figures of the report of a reading study: ROC curves, confusions, the session, reasons, preference."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from glioforge.reader.analysis import Analysis
from glioforge.reader.analysis_readings import Roc
from glioforge.reader.analysis_rows import ALL, Row
from glioforge.reader.preference import Preference
from glioforge.reader.report_words import WORDS
from glioforge.report import COLOURS, INK, MARKS, SOFT, look_of, png, sheet, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def roc_plot(rocs: Mapping[str, Roc], positive: str) -> bytes:
    """Curve of each reader, with the diagonal of guessing."""
    figure = sheet(4.6, 4.3, gap_inch=0.08)
    axes = figure.add_subplot()
    tidy(axes, grid="both")
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (2, 2)))
    for place, (reader, curve) in enumerate(rocs.items()):
        look = look_of(place)
        axes.plot(curve.alarms, curve.hits, **look, linewidth=1.8, marker=MARKS[place % len(MARKS)], markersize=4)
        axes.plot(
            [], [], **look, marker=MARKS[place % len(MARKS)], markersize=4, label=f"{reader}, AUC {curve.area:.2f}"
        )
    axes.set_xlabel(f"false alarms: others called {positive}")
    axes.set_ylabel(f"hits: {positive} called {positive}")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return png(figure)


def accuracy_plot(rows: Sequence[Row], margin: float) -> bytes:
    """Accuracy of each line with its interval, chance, and the margin."""
    figure = sheet(7.2, 0.36 * len(rows) + 0.9, gap_inch=0.08)
    axes = figure.add_subplot()
    tidy(axes, grid="x")
    axes.axvspan(100 * (0.5 - margin), 100 * (0.5 + margin), color="#e8eef5", zorder=0)
    axes.axvline(50, color=SOFT, linewidth=1, linestyle=(0, (2, 2)))
    for place, line in enumerate(rows):
        interval, colour = line.detection.accuracy, COLOURS[0] if line.who == ALL else INK
        if interval.known:
            axes.plot([100 * interval.low, 100 * interval.high], [place] * 2, color=colour, linewidth=2)
        axes.plot([100 * interval.estimate], [place], "o" if line.who == ALL else "s", color=colour, markersize=6)
    axes.set_yticks(range(len(rows)), [_label(line) for line in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("right answers, % (shaded: equivalence margin)")
    return png(figure)


def confusion_plot(rows: Sequence[Row], kind: str) -> bytes:
    """Four counts of each reader as shares of what was shown."""
    names = WORDS[kind]
    figure = sheet(min(2.1 * len(rows) + 0.9, 8.6), 2.5, gap_inch=0.08)
    for place, line in enumerate(rows):
        axes = figure.add_subplot(1, len(rows), place + 1)
        cells = np.reshape(line.detection.counts.cells, (2, 2)).astype(float)
        share = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row in range(2):
            for column in range(2):
                text = f"{int(cells[row, column])}\n{100 * share[row, column]:.0f} %"
                colour = "white" if share[row, column] > 0.55 else INK
                axes.text(column, row, text, ha="center", va="center", fontsize=8.5, color=colour)
        axes.set_xticks((0, 1), names, fontsize=7.5)
        axes.set_yticks((0, 1), names if place == 0 else ("", ""), fontsize=7.5, rotation=90, va="center")
        axes.tick_params(length=0, colors=INK)
        axes.spines[:].set_visible(False)
        axes.set_title("all" if line.who == ALL else line.who, fontsize=9, color=INK)
        axes.set_xlabel("called", fontsize=8, color=INK)
        if place == 0:
            axes.set_ylabel("shown", fontsize=8, color=INK)
    return png(figure)


def order_plot(analysis: Analysis) -> bytes:
    """Accuracy by quarter of the session, a line for each reader, all with intervals."""
    figure = sheet(6.4, 3.0, gap_inch=0.08)
    axes = figure.add_subplot()
    tidy(axes)
    axes.axhline(50, color=SOFT, linewidth=1, linestyle=(0, (2, 2)))
    for place, (who, trend) in enumerate(analysis.trends.items()):
        values = [100 * part.estimate for part in trend.parts]
        look = {**look_of(place), "marker": MARKS[place % len(MARKS)], "label": "all" if who == ALL else who}
        axes.plot(range(1, len(values) + 1), values, **look, linewidth=2.2 if who == ALL else 1.2, markersize=5)
        if who == ALL:
            low, high = ([100 * getattr(part, end) for part in trend.parts] for end in ("low", "high"))
            axes.fill_between(range(1, len(values) + 1), low, high, color=COLOURS[0], alpha=0.12, linewidth=0)
    axes.set_xticks(range(1, 5), ("first quarter", "second", "third", "last quarter"))
    axes.set_ylim(-2, 102)
    axes.set_ylabel("right answers, %")
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower center")
    return png(figure)


def cue_plot(analysis: Analysis) -> bytes:
    """Share of answers in which each reason was ticked, real images and each method."""
    methods = list(analysis.cues[0].on_method)
    figure = sheet(7.2, 0.22 * len(analysis.cues) * (len(methods) + 1) + 1.0, gap_inch=0.08)
    axes = figure.add_subplot()
    tidy(axes, grid="x")
    height = 0.8 / (len(methods) + 1)
    for place, name in enumerate(["real", *methods]):
        at = np.arange(len(analysis.cues)) + (place - len(methods) / 2) * height
        values = [100 * (cue.on_real if place == 0 else cue.on_method[name]).estimate for cue in analysis.cues]
        axes.barh(
            at,
            values,
            height=0.9 * height,
            color=SOFT if place == 0 else COLOURS[(place - 1) % len(COLOURS)],
            label=name,
        )
    axes.set_yticks(range(len(analysis.cues)), [cue.name for cue in analysis.cues])
    axes.invert_yaxis()
    axes.set_xlabel("answers in which the reason was ticked, %")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return png(figure)


def strength_plot(preference: Preference) -> bytes:
    """Bradley-Terry strength of each method with its interval."""
    rows = preference.strengths
    figure = sheet(6.4, 0.36 * len(rows) + 0.9, gap_inch=0.08)
    axes = figure.add_subplot()
    tidy(axes, grid="x")
    axes.axvline(0, color=SOFT, linewidth=1, linestyle=(0, (2, 2)))
    for place, one in enumerate(rows):
        axes.plot([one.strength.low, one.strength.high], [place] * 2, color=COLOURS[0], linewidth=2)
        _dot(axes, one.strength.estimate, place)
    axes.set_yticks(range(len(rows)), [one.method for one in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("strength, log odds against the mean of all methods")
    return png(figure)


def _dot(axes: "Axes", value: float, place: int) -> None:
    """An estimate."""
    axes.plot([value], [place], "o", color=COLOURS[0], markersize=6)


def _label(line: Row) -> str:
    """Reader, and method and contrast where they are not all."""
    parts = ["all readers" if line.who == ALL else line.who, *(x for x in (line.method, line.contrast) if x != ALL)]
    return ", ".join(parts)
