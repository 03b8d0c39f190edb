"""Pictures of one label map as every method paints it, with errors and differences."""

from collections.abc import Mapping
from typing import Final

from glioforge.core import Case, Modality, Volume
from glioforge.report import Block, Folded, best_slice
from glioforge.studies.error_pictures import MOST_ERROR, difference_picture, error_picture
from glioforge.studies.gallery import (
    NO_MARKS,
    SSIM_MARK,
    Marks,
    Rows,
    in_planes,
    marked,
    slice_row,
    told_of,
    windows_of,
)

FEW_METHODS: Final = 3
"""Methods up to which differences by contrast are open."""


def every_method(
    case: Case,
    truth: Mapping[Modality, Volume],
    made: Mapping[str, Case],
    words: tuple[str, str],
    marks: Marks = NO_MARKS,
) -> tuple[Block, ...]:
    """Show one label map as every method paints it, with the error of each, and then the differences by contrast.

    Args:
        case: The prepared scan, with labels.
        truth: What images should equal.
        made: Synthetic case of each method by its title.
        words: What the scan and the truth are called; one row where they are the same.
        marks: What was measured of a method's images of this case, by its title.
    """
    labels, windows = case.require_labels(), windows_of(case)
    contrasts = tuple(m for m in case.images if any(m in other.images for other in made.values()))

    def draw(axis: int) -> Rows:
        place = (axis, best_slice(labels, axis))
        rows: Rows = []
        for name, images in {words[0]: case.images, words[1]: truth}.items():
            rows.append((name, slice_row(labels, images, contrasts, place, windows)))
        for title, other in made.items():
            row = slice_row(labels, other.images, contrasts, place, windows)
            rows.append((marked(title, marks), (error_picture(row[0], labels, other, truth, place), *row[1:])))
        return rows

    caption = (
        f"{case.subject_id}, unseen by every method: one draw of each. Grey windows are those of the {words[0]}. "
        f"The first column of a method shows its error: the absolute difference from the {words[1]}, mean over "
        f"contrasts, white from {MOST_ERROR} standard deviations of the brain.{told_of(marks, SSIM_MARK)}"
    )
    columns = ("labels; error", *(m.title for m in contrasts))
    shown = in_planes(draw, columns, caption, f"Images of every method for the label map of {case.subject_id}")
    differences = differences_of(case, truth, made, words[1])
    if len(made) <= FEW_METHODS:
        return *shown, *differences
    return *shown, Folded("Differences by contrast", differences)


def differences_of(
    case: Case, truth: Mapping[Modality, Volume], made: Mapping[str, Case], named: str
) -> tuple[Block, ...]:
    """Show the signed difference of each method's images from the truth, a column a contrast; arguments as above."""
    labels = case.require_labels()
    contrasts = tuple(m for m in truth if any(m in other.images for other in made.values()))

    def draw(axis: int) -> Rows:
        place = (axis, best_slice(labels, axis))
        like = slice_row(labels, {}, (), place, {})[0]
        return [
            (title, [difference_picture(like, labels, other, truth, m, place) for m in contrasts])
            for title, other in made.items()
        ]

    caption = (
        f"{case.subject_id}: image minus {named}. Grey is no difference, white is too bright and black too dark by "
        f"{MOST_ERROR} standard deviations of the brain or more; the number is the mean absolute difference in the "
        "brain of the whole volume."
    )
    return in_planes(draw, [m.title for m in contrasts], caption, f"Differences of every method for {case.subject_id}")
