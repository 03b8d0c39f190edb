"""The curve of a distance over the snapshots of a training that grows, with the snapshot that is kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from glioforge.report.style import COLOURS, INK, SOFT, png, sheet, tidy


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
