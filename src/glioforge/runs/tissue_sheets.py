"""Sheets to judge tissue maps by: a picture for each prepared case, and one page for the cohort.

A sheet shows three planes of each contrast with the outlines of the tissue
map, the map itself, and the intensities of each tissue as histograms.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import UInt8

from glioforge.core import COMPLETE, Case, Cohort, Progress, Silent
from glioforge.data import PLAUSIBLE, summary
from glioforge.io import write_atomically
from glioforge.report import INK, Block, Figure, Report, Section, Table, png, render, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE: Final = "tissue.html"
_COLOURS: Final = {"white_matter": "#E69F00", "grey_matter": "#009E73", "csf": "#56B4E9"}
_MOST_ON_PAGE = 60


def write_sheets(cohort: Cohort, out: Path, *, progress: Progress | None = None) -> Path:
    """Write `CASE.png` for each case and the page `tissue.html` with the grades and all sheets.

    Args:
        cohort: Prepared cases; an empty cohort gives a page that says so.
        out: Folder to write.
        progress: Where to show progress.

    Returns:
        The page; of more than 60 cases it shows the first 60 sheets.

    Raises:
        OutputError: The folder cannot be written.
    """
    figures: list[Block] = []
    for ref in (progress or Silent()).track(cohort, "drawing sheets", len(cohort)):
        picture = case_sheet(ref.load())
        write_atomically(out / f"{ref.case_id}.png", picture)
        if len(figures) < _MOST_ON_PAGE:
            figures.append(Figure(picture, ref.case_id, f"Tissue map of {ref.case_id} over its contrasts"))
    write_atomically(out / PAGE, render(tissue_page(cohort, figures)).encode())
    return out / PAGE


def tissue_page(cohort: Cohort, figures: Sequence[Block] = ()) -> Report:
    """The cohort's page: grades over all cases, grades and warnings of each, sheets."""
    prepared = {ref.case_id: ref.facts.get("prepared", {}) for ref in cohort}
    graded = {case_id: facts["tissue"] for case_id, facts in prepared.items() if "tissue" in facts}
    if not graded:
        return Report(f"Tissue maps of {cohort.name}", "No case has a graded tissue map.", ())
    names = list(PLAUSIBLE)
    over_all = [
        (name, *(f"{s[k]:g}" for k in ("median", "min", "max")), f"{s['plausible']:g} of {s['cases']:g}")
        for name, s in summary(tissue["grades"] for tissue in graded.values()).items()
    ]
    rows = [
        (case_id, tissue["kind"], *("–" if (v := tissue["grades"].get(n)) is None else f"{v:.3g}" for n in names))
        for case_id, tissue in graded.items()
    ]
    warned = [
        (case_id, line)
        for case_id, facts in prepared.items()
        for line in facts.get("warnings", ())
        if case_id in graded
    ]
    sections = [
        Section(
            "Grades",
            (Table(("grade", "median", "least", "greatest", "plausible"), tuple(over_all), "Over all cases."),),
        ),
        Section("Cases", (Table(("case", "kind", *names), tuple(rows), "– where a grade cannot be given."),)),
    ]
    if warned:
        sections.append(
            Section("Warnings", (Table(("case", "warning"), tuple(warned), "Look at these maps before using them."),))
        )
    if figures:
        sections.append(Section("Sheets", tuple(figures)))
    flagged = len({case_id for case_id, _ in warned})
    lead = f"{len(graded)} tissue maps, {flagged} with warnings."
    return Report(f"Tissue maps of {cohort.name}", lead, tuple(sections))


def case_sheet(case: Case) -> bytes:
    """The sheet of one prepared case as PNG: a row for each contrast and one for the map, a column for each plane."""
    labels = case.require_labels().voxels
    middles = _middles(labels)
    figure = sheet(9.6, 2.3 * (len(case.modalities) + 1))
    axes = figure.subplots(len(case.modalities) + 1, 4, squeeze=False)
    for row, modality in zip(axes, case.modalities, strict=False):
        voxels = case.images[modality].voxels
        shown = voxels[labels > 0]
        low, high = np.percentile(shown, [1, 99]) if shown.size else (0.0, 1.0)
        for axis, place in enumerate(middles):
            row[axis].imshow(_plane(voxels, axis, place), cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            _outlined(row[axis], _plane(labels, axis, place))
        row[0].set_title(f"{case.case_id}  {modality}", fontsize=8, loc="left", color=INK)
        _histograms(row[3], voxels, labels)
    for axis, place in enumerate(middles):
        axes[-1][axis].imshow(_coloured(_plane(labels, axis, place)), interpolation="nearest")
    for cell in [*axes[:, :3].ravel(), axes[-1][3]]:
        cell.set_axis_off()
    return png(figure, vector=False)


def _middles(labels: UInt8[np.ndarray, "i j k"]) -> list[int]:
    """Plane along each axis through the middle of what is labelled, a little off the midline."""
    middles = []
    for axis in range(3):
        found = np.flatnonzero(labels.any(axis=tuple(a for a in range(3) if a != axis)))
        share = 0.45 if axis == 0 else 0.5
        middles.append(int(found[int(share * (len(found) - 1))]) if len(found) else labels.shape[axis] // 2)
    return middles


def _plane(voxels: np.ndarray, axis: int, place: int) -> np.ndarray:
    """A plane of a RAS volume as it is looked at: up or front at the top."""
    return np.take(voxels, place, axis=axis).T[::-1]


def _outlined(axes: "Axes", labels: np.ndarray) -> None:
    """Outlines of each tissue and of the tumour over a plane."""
    masks = {colour: labels == COMPLETE.value(name) for name, colour in _COLOURS.items()}
    masks["#D55E00"] = (labels > 0) & ~np.isin(labels, [COMPLETE.value(name) for name in _COLOURS])
    for colour, mask in masks.items():
        if mask.any() and not mask.all():
            axes.contour(mask, levels=[0.5], colors=[colour], linewidths=0.4)


def _coloured(labels: np.ndarray) -> np.ndarray:
    """Colours of a plane of a label map."""
    table = np.zeros((256, 3), dtype=np.uint8)
    for name, value in COMPLETE.labels.items():
        table[value] = COMPLETE.colours.get(name, (0, 0, 0))
    return table[labels]


def _histograms(axes: "Axes", voxels: np.ndarray, labels: np.ndarray) -> None:
    """Intensities of each tissue."""
    shown = voxels[labels > 0]
    low, high = (float(v) for v in np.percentile(shown, [0.5, 99.5])) if shown.size else (0.0, 1.0)
    bins = np.linspace(low, max(high, low + 1e-3), 60).tolist()
    for name, colour in _COLOURS.items():
        chosen = voxels[labels == COMPLETE.value(name)]
        axes.hist(chosen, bins=bins, histtype="step", color=colour, label=name.replace("_", " "))
    axes.set_yticks([])
    axes.tick_params(labelsize=6)
    axes.legend(fontsize=5, frameon=False)
