"""Pictures of one brain with edited lesions, and of a healthy brain with lesions put in."""

from collections.abc import Mapping
from typing import Final

from glioforge.core import Case, LabelMap, Modality
from glioforge.report import Block, Picture, Window, best_slice, shared_slice
from glioforge.studies.gallery import Marks, Rows, in_planes, marked, slice_row, windows_of, with_volume

Shown = tuple[Case, LabelMap | None]
"""A case, and the map before its edit, which decides the slice with it; none takes the slice of the case's lesion."""
_TOLD: Final = (
    "Millilitres are those of the whole tumour in the label map; Dice compares it with what the baseline's segmenter, "
    "which was trained without synthetic cases, finds in the images, mean over regions."
)


def edited_rows(
    rows: Mapping[str, Shown], windows: Mapping[Modality, Window], marks: Marks, words: tuple[str, str]
) -> tuple[Block, ...]:
    """Show label maps and images, a row each, every row on the slice that its lesion is seen best on.

    Args:
        rows: Cases by the name of their row, at least one.
        windows: Grey windows.
        marks: What was measured of a row besides the volume of its lesion, by its name.
        words: Title of what painted them, and what is said of the rows.
    """
    contrasts = tuple(dict.fromkeys(m for case, _ in rows.values() for m in case.images))

    def draw(axis: int) -> Rows:
        drawn: Rows = []
        for name, (case, before) in rows.items():
            labels = case.require_labels()
            place = (axis, shared_slice(before or labels, labels, axis))
            shown = marked(with_volume(name, case), marks, name)
            drawn.append((shown, slice_row(labels, case.images, contrasts, place, windows)))
        return drawn

    title, said = words
    columns = ("labels", *(m.title for m in contrasts))
    return in_planes(draw, columns, f"{title}: {said} {_TOLD}", f"Edited lesions by {title}")


def host_rows(
    host: Case,
    rows: Mapping[str, Case],
    windows: Mapping[Modality, Window],
    marks: Marks,
    words: tuple[str, str],
) -> tuple[Block, ...]:
    """Show a healthy brain's label map and its first contrast, its label map with a lesion, and images of that.

    Args:
        host: The healthy brain as it was prepared; without images the column of its contrast is left out.
        rows: Synthetic cases of the brain as it is and with lesions, by the name of their row, at least one.
        windows: Grey windows of the synthetic images.
        marks: As for `edited_rows`.
        words: As for `edited_rows`.
    """
    contrasts = tuple(dict.fromkeys(m for case in rows.values() for m in case.images))
    own = next(iter(host.images), None)
    with_lesion = [case.require_labels() for case in rows.values() if case.require_labels().lesion.any()]

    def draw(axis: int) -> Rows:
        drawn: Rows = []
        for name, case in rows.items():
            labels = case.require_labels()
            place = (axis, best_slice(labels if labels.lesion.any() or not with_lesion else with_lesion[0], axis))
            before: tuple[Picture, ...] = slice_row(
                host.require_labels(), host.images, () if own is None else (own,), place, windows_of(host)
            )
            shown = marked(with_volume(name, case), marks, name)
            drawn.append((shown, (*before, *slice_row(labels, case.images, contrasts, place, windows))))
        return drawn

    title, said = words
    before = ("host", *(() if own is None else (f"{own.title}, host",)))
    columns = (*before, "labels", *(m.title for m in contrasts))
    return in_planes(draw, columns, f"{title}: {said} {_TOLD}", f"A healthy brain by {title}")
