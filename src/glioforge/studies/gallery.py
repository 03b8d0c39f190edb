"""The pictures of study pages: scans and what was made of their label maps, in three planes through the lesion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from glioforge.core import Case, CaseRef, Cohort, LabelMap, LabelScheme, Modality, Volume, Voxels
from glioforge.report import (
    CONVENTION,
    PLANES,
    Block,
    Figure,
    Folded,
    Picture,
    Window,
    best_slice,
    case_pictures,
    grey,
    label_colours,
    legend,
    picture_grid,
    shared_slice,
    window_of,
)

Rows = list[tuple[str, Sequence[Picture]]]
MOST_ROWS: Final = 9
"""Rows up to which all planes share a figure."""
MOST_ERROR: Final = 1.5
"""Error that is white in pictures."""


def label_legend(scheme: LabelScheme) -> Figure:
    """Show the colours of a scheme's labels."""
    return Figure(legend(label_colours(scheme)), "Colours of the label maps.", "Legend of label colours")


def in_planes(draw: Callable[[int], Rows], columns: Sequence[str], caption: str, alt: str) -> tuple[Block, ...]:
    """Draw the same rows in the axial, coronal and sagittal plane.

    Args:
        draw: Gives the rows of a plane by the axis that it is cut across.
        columns: Titles of the columns.
        caption: What is shown.
        alt: What a reader who cannot see it should know.

    Returns:
        One figure for few rows; else one a plane, of which the axial one is open.
    """
    planes = {plane: draw(axis) for plane, axis in PLANES.items()}
    caption = f"{caption} {CONVENTION}"
    if sum(map(len, planes.values())) <= MOST_ROWS:
        rows = [(f"{plane}\n{name}", pictures) for plane, found in planes.items() for name, pictures in found]
        return (Figure(picture_grid(rows, columns), caption, alt),)
    axial, *others = (
        Figure(picture_grid(rows, columns), f"{plane.capitalize()}. {caption}", f"{alt}, {plane}")
        for plane, rows in planes.items()
    )
    return axial, Folded("The same in coronal and sagittal planes", tuple(others))


def unseen_subject(case: Case, made: Mapping[str, Mapping[Modality, Volume]], what: str) -> tuple[Block, ...]:
    """Show a test subject's scan and the images made of its label map.

    Args:
        case: The prepared scan, with labels.
        made: Images by the name of their row.
        what: What a scan is called: `scan` or `phantom`.
    """
    labels, windows = case.require_labels(), windows_of(case)
    contrasts = tuple(dict.fromkeys(m for images in made.values() for m in images))

    def draw(axis: int) -> Rows:
        images = {what: case.images, **made}
        index = best_slice(labels, axis)
        return [(name, _row(labels, shown, contrasts, (axis, index), windows)) for name, shown in images.items()]

    caption = (
        f"{case.subject_id}, unseen by the generator: the {what}, one image made of its label map, and the image in "
        f"which every class has its mean intensity over the training subjects. Grey windows are those of the {what}."
    )
    return in_planes(draw, ("labels", *(m.title for m in contrasts)), caption, f"Images of {case.subject_id}")


def edited_case(before: Case, made: Mapping[str, Case]) -> tuple[Block, ...]:
    """Show a case and the synthetic ones made of its edited label map, on the same slices.

    Args:
        before: The case whose label map was edited.
        made: Synthetic case of each source by the name of its row, at least one; the first one decides the slices.
    """
    windows = windows_of(before)
    contrasts = tuple(dict.fromkeys(m for case in made.values() for m in case.images))
    labels = before.require_labels(), next(iter(made.values())).require_labels()

    def draw(axis: int) -> Rows:
        place = (axis, shared_slice(*labels, axis))
        cases = {"before": before, **made}
        return [(n, _row(c.require_labels(), c.images, contrasts, place, windows)) for n, c in cases.items()]

    what = "the synthetic case" if len(made) == 1 else f"the synthetic cases of {', '.join(made)}"
    caption = (
        f"{before.case_id} before, and {what} made of its edited label map (edits: {_edits(made)}), on the same "
        "slices: those that show both lesions best, else the edited one. Grey windows are those of the case before."
    )
    return in_planes(draw, ("labels", *(m.title for m in contrasts)), caption, f"{before.case_id} before and after")


def every_method(
    case: Case, truth: Mapping[Modality, Volume], made: Mapping[str, Case], words: tuple[str, str]
) -> tuple[Block, ...]:
    """Show one label map as every method paints it, with the error of each.

    Args:
        case: The prepared scan, with labels.
        truth: What images should equal.
        made: Synthetic case of each method by its title.
        words: What the scan and the truth are called; one row where they are the same.
    """
    labels, windows = case.require_labels(), windows_of(case)
    contrasts = tuple(m for m in case.images if any(m in other.images for other in made.values()))

    def draw(axis: int) -> Rows:
        place = (axis, best_slice(labels, axis))
        rows: Rows = []
        for name, images in {words[0]: case.images, words[1]: truth}.items():
            rows.append((name, _row(labels, images, contrasts, place, windows)))
        for title, other in made.items():
            row = _row(labels, other.images, contrasts, place, windows)
            rows.append((title, (_error(row[0], labels, other, truth, place), *row[1:])))
        return rows

    caption = (
        f"{case.subject_id}, unseen by every method: one draw of each. Grey windows are those of the {words[0]}. "
        f"The first column of a method shows its error: the absolute difference from the {words[1]}, mean over "
        f"contrasts, white from {MOST_ERROR} standard deviations of the brain."
    )
    columns = ("labels; error", *(m.title for m in contrasts))
    return in_planes(draw, columns, caption, f"Images of every method for the label map of {case.subject_id}")


def edit_series(
    case: Case, made: Sequence[tuple[str, Case]], title: str, *, before: LabelMap | None = None
) -> tuple[Block, ...]:
    """Show edited label maps and the images that one method makes of them, a row a map.

    Args:
        case: The scan of the original map, whose grey windows are used.
        made: Name and synthetic case of each row.
        title: Title of the method.
        before: The original map, shown on the same slice before each; none leaves its column out.
    """
    windows, contrasts = windows_of(case), tuple(m for m in case.images if m in made[0][1].images)

    def draw(axis: int) -> Rows:
        rows: Rows = []
        for name, other in made:
            labels = other.require_labels()
            place = (axis, shared_slice(before or labels, labels, axis))
            first = _row(before, {}, (), place, windows) if before else ()
            rows.append((name.replace(", ", ",\n"), (*first, *_row(labels, other.images, contrasts, place, windows))))
        return rows

    what = "draws of one label map; whatever differs between rows differs between draws"
    if before is not None:
        what = (
            "one label map of an unseen subject before and after each edit on the same slice, and the image made of it"
        )
    columns = (*(("before",) if before else ()), "labels", *(m.title for m in contrasts))
    return in_planes(draw, columns, f"{title}: {what}.", f"Rows of label maps and images of {title}")


def windows_of(case: Case) -> dict[Modality, Window]:
    """Grey windows of a case, which the images made of its map share."""
    brain = case.require_labels().voxels > 0
    return {modality: window_of(volume.voxels, brain) for modality, volume in case.images.items()}


def as_volumes(images: Mapping[Modality, Voxels], case: Case) -> dict[Modality, Volume]:
    """Arrays as volumes on a case's grid."""
    grid = case.require_labels().geometry
    return {modality: Volume(voxels, grid, modality) for modality, voxels in images.items()}


def spread_over(cohort: Cohort, most: int) -> tuple[CaseRef, ...]:
    """Cases evenly spread over a cohort."""
    places = np.unique(np.linspace(0, len(cohort) - 1, min(most, len(cohort))).round().astype(int))
    return tuple(cohort.cases[int(place)] for place in places)


def _row(
    labels: LabelMap,
    images: Mapping[Modality, Volume],
    contrasts: Sequence[Modality],
    place: tuple[int, int],
    windows: Mapping[Modality, Window],
) -> tuple[Picture, ...]:
    """Label map and contrasts of a slice, given by axis and number; blank where a contrast is missing."""
    there = {modality: images[modality] for modality in contrasts if modality in images}
    first, *others = case_pictures(labels, there, place[1], windows, axis=place[0])
    shown = dict(zip(there, others, strict=True))
    return first, *(shown.get(modality, Picture.blank(first)) for modality in contrasts)


def _edits(made: Mapping[str, Case]) -> str:
    """Edits of synthetic cases; by source where they differ."""
    edits_of = {
        name: ", ".join(dict.fromkeys(str(edit["kind"]) for edit in case.lineage.edits)) or "none"
        for name, case in made.items()
    }
    same = len(set(edits_of.values())) == 1
    return next(iter(edits_of.values())) if same else "; ".join(f"{name} {edits}" for name, edits in edits_of.items())


def _error(
    like: Picture, labels: LabelMap, made: Case, truth: Mapping[Modality, Volume], place: tuple[int, int]
) -> Picture:
    """Mean absolute difference from the truth over contrasts, in grey."""
    axis, index = place
    errors = [np.abs(made.images[m].voxels - truth[m].voxels).take(index, axis) for m in made.images if m in truth]
    brain = labels.voxels.take(index, axis) > 0
    return replace(like, pixels=grey(np.mean(errors, axis=0), brain, (0.0, MOST_ERROR)))
