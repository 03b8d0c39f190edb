"""Contact sheets: a label map before and after each of several edits."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from glioforge.core.cohort import Cohort
from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap
from glioforge.lesions.cutout import box_of, is_lesion

Row = tuple[str, LabelMap, LabelMap]
"""A title, the map before and the map after."""


def contact_sheet(rows: Iterable[Row], path: Path, slices: int = 3) -> None:
    """Draw maps before and after their edits as one PNG.

    Each row shows axial slices spread over the lesions of both maps, before
    and after side by side, and the coronal slice through the new lesion.

    Args:
        rows: Titles with maps; both maps of a row lie on one grid.
        path: PNG file to write.
        slices: Axial slices a row.

    Raises:
        EditError: There is no row.
        GeometryError: The maps of a row lie on different grids.
    """
    from matplotlib.figure import Figure

    sheet = list(rows)
    if not sheet:
        raise EditError("a contact sheet of nothing", "at least one edit")
    columns = 2 * (slices + 1)
    figure = Figure(figsize=(1.6 * columns, 2.1 * len(sheet)), facecolor="white")
    axes = np.atleast_2d(np.asarray(figure.subplots(len(sheet), columns)))
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.005, top=1 - 0.25 / (2.1 * len(sheet)), wspace=0.02)
    for line, (title, before, after) in zip(axes, sheet, strict=True):
        before.geometry.require_same(after.geometry, title)
        cropped = _cropped(before, after)
        pictures = [p for n in _axial_slices(*cropped, slices) for p in _pair(*cropped, 2, n)]
        pictures += _pair(*cropped, 1, _centre(*reversed(cropped))[1])
        x, y, z = before.geometry.spacing
        aspects = [y / x] * (2 * slices) + [z / x] * 2
        for place, shown, aspect in zip(line, pictures, aspects, strict=True):
            place.imshow(shown, origin="lower", interpolation="nearest", aspect=aspect)
            place.set_axis_off()
        line[0].set_title(title, loc="left", fontsize=9)
    figure.savefig(path, dpi=110)


def _cropped(before: LabelMap, after: LabelMap) -> tuple[LabelMap, LabelMap]:
    """Both maps, cut to the brain and a voxel around it."""
    box = box_of((before.voxels > 0) | (after.voxels > 0), (1, 1, 1))
    if box is None:
        return before, after
    geometry = before.geometry.box([side.start for side in box], [side.stop for side in box])
    first, second = (LabelMap(m.voxels[box].copy(), geometry, m.scheme) for m in (before, after))
    return first, second


def preview_cohort(parents: Cohort, edited: Cohort, out: Path, *, most: int = 8) -> None:
    """Contact sheet of the first edited cases beside the cases that they were made from.

    Args:
        parents: Cohort that was edited.
        edited: Cohort of edited label maps; its lineage names parents and edits.
        out: PNG file to write.
        most: Number of cases shown.

    Raises:
        CohortError: A parent is not in the cohort.
        EditError: There is no edited case.
    """
    rows = []
    for ref in edited.cases[:most]:
        parent = next(p for p in ref.lineage.parents if ref.case_id.startswith(p))
        kinds = ", ".join(str(record["kind"]) for record in ref.lineage.edits) or "unchanged"
        before, after = parents[parent].load().require_labels(), ref.load().require_labels()
        rows.append((f"{ref.case_id}: {kinds}", before, after))
    contact_sheet(rows, out)


def picture(labels: LabelMap, axis: int, index: int) -> UInt8[np.ndarray, "rows columns 3"]:
    """One slice in the scheme's colours, as an RGB picture whose rows run along the later axis."""
    table = np.zeros((256, 3), dtype=np.uint8)
    for name, value in labels.scheme.labels.items():
        table[value] = labels.scheme.colours.get(name, (0, 0, 0) if value == 0 else (128, 128, 128))
    return np.asarray(table[np.take(labels.voxels, index, axis=axis).T])


def _pair(before: LabelMap, after: LabelMap, axis: int, index: int) -> list[UInt8[np.ndarray, "rows columns 3"]]:
    """The same slice of both maps."""
    return [picture(before, axis, index), picture(after, axis, index)]


def _axial_slices(before: LabelMap, after: LabelMap, count: int) -> list[int]:
    """Slices spread evenly over both lesions, or over the brain without any."""
    mask = is_lesion(before.voxels) | is_lesion(after.voxels)
    box = box_of(mask if mask.any() else after.voxels > 0)
    low, high = (box[2].start, box[2].stop) if box else (0, after.voxels.shape[2])
    return [int(low + (n + 0.5) * (high - low) / count) for n in range(count)]


def _centre(*maps: LabelMap) -> tuple[int, int, int]:
    """Middle of the first map's lesion that there is, or of the grid."""
    for labels in maps:
        box = box_of(is_lesion(labels.voxels))
        if box is not None:
            i, j, k = ((side.start + side.stop) // 2 for side in box)
            return i, j, k
    i, j, k = (n // 2 for n in maps[0].voxels.shape)
    return i, j, k
