"""Contact sheets of sampled cases: the same slice of each, as radiologists see it, a row for each contrast."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from glioforge.core import Case, Cohort, CohortError, Geometry, Mask, Volume
from glioforge.data import thin_axis
from glioforge.io import write_atomically
from glioforge.report import Picture, grey, label_rgb, picture_grid, seen_from

WINDOW: Final = (-2.5, 3.5)
"""Z-scores of black and white."""


def preview_samples(cohort: Cohort, out: Path, *, most: int = 24, across: int = 8) -> None:
    """Draw the first cases of a sampled cohort as one PNG, each with its number; of volumes the middle axial slice.

    Args:
        cohort: Slices or volumes, label maps or images.
        out: File to write.
        most: Number of cases shown.
        across: Cases side by side.

    Raises:
        CohortError: There is no case.
        OutputError: The file cannot be written.
    """
    if not len(cohort):
        raise CohortError("a contact sheet of no case", "at least one", where=cohort.where)
    cases = [ref.load() for ref in cohort.cases[:most]]
    groups = [cases[first : first + across] for first in range(0, len(cases), across)]
    rows = [row for group in groups for row in _rows(group)]
    columns = [""] * max(len(pictures) for _, pictures in rows)
    write_atomically(out, picture_grid(rows, columns, cell_inch=1.1, banner="SYNTHETIC"))


def picture_of(volume: Volume, text: str = "", brain: Mask | None = None) -> Picture:
    """Return an image one voxel thick, or the middle axial slice of another, in grey, black outside the brain.

    Args:
        volume: z-scores.
        text: Small text in the lower corner.
        brain: Where to show it; where it is not 0 unless given.
    """
    cut, axis = _cut(volume.voxels, volume.geometry)
    inside = cut != 0 if brain is None else _cut(brain, volume.geometry)[0]
    sides, aspect = seen_from(axis, volume.geometry.spacing)
    return Picture(grey(cut, inside, WINDOW), text=text, sides=sides, aspect=aspect)


def _rows(cases: Sequence[Case]) -> list[tuple[str, list[Picture]]]:
    """Rows of some cases side by side: label maps, then each contrast; cases of one contrast of a pool share a row."""
    named = [(case, case.case_id.rpartition("-")[2].lstrip("0") or "0") for case in cases]
    rows = []
    if all(case.labels is not None for case in cases):
        rows.append(("labels", [_labels(case, text) for case, text in named]))
    if len({case.modalities for case in cases}) == 1:
        for modality in cases[0].modalities:
            shown = [picture_of(case.images[modality], text, case.brain_mask) for case, text in named]
            rows.append((modality.title, shown))
    else:
        shown = [
            picture_of(volume, f"{text} {volume.modality.title}", case.brain_mask)
            for case, text in named
            for volume in list(case.images.values())[:1]
        ]
        rows.append(("slice", shown))
    return rows


def _labels(case: Case, text: str) -> Picture:
    """Labels of a case in the colours of their scheme."""
    labels = case.require_labels()
    cut, axis = _cut(labels.voxels, labels.geometry)
    sides, aspect = seen_from(axis, labels.geometry.spacing)
    return Picture(label_rgb(cut, labels.scheme), text=text, sides=sides, aspect=aspect)


def _cut(voxels: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, int]:
    """The slice that is shown, and the axis that it lies across."""
    thin = thin_axis(geometry)
    axis = 2 if thin is None else thin
    return np.take(voxels, voxels.shape[axis] // 2, axis), axis
