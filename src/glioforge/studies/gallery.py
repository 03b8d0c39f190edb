"""The pictures of study pages: scans and what was made of their label maps, in three planes through the lesion."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
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
    in_words,
    label_colours,
    legend,
    picture_grid,
    shared_slice,
    window_of,
)

Rows = list[tuple[str, Sequence[Picture]]]
Marks = Mapping[str, str]
NO_MARKS: Final[Marks] = MappingProxyType({})
SSIM_MARK: Final = " SSIM is that of the row in the brain, mean over contrasts."
DICE_MARK: Final = " Dice compares the map asked for with what the frozen segmenter finds, mean over regions."
VOLUME_MARK: Final = "Millilitres are those of the whole tumour in the label map."
ZSCORE_MARK: Final = " The norm is that of the calibrated z-score filter, which only counts here."
MOST_ROWS: Final = 9
"""Rows up to which all planes share a figure."""


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


def unseen_subject(
    case: Case, made: Mapping[str, Mapping[Modality, Volume]], what: str, marks: Marks = NO_MARKS
) -> tuple[Block, ...]:
    """Show a test subject's scan and the images made of its label map.

    Args:
        case: The prepared scan, with labels.
        made: Images by the name of their row.
        what: What a scan is called: `scan` or `phantom`.
        marks: What was measured of a row, by its name.
    """
    labels, windows = case.require_labels(), windows_of(case)
    contrasts = tuple(dict.fromkeys(m for images in made.values() for m in images))

    def draw(axis: int) -> Rows:
        images = {what: case.images, **made}
        place = (axis, best_slice(labels, axis))
        rows = {name: slice_row(labels, shown, contrasts, place, windows) for name, shown in images.items()}
        return [(marked(name, marks), pictures) for name, pictures in rows.items()]

    caption = (
        f"{case.subject_id}, unseen by the generator: the {what}, one image made of its label map, and the image in "
        f"which every class has its mean intensity over the training subjects. Grey windows are those of the {what}."
        f"{told_of(marks, SSIM_MARK)}"
    )
    return in_planes(draw, ("labels", *(m.title for m in contrasts)), caption, f"Images of {case.subject_id}")


def edited_case(before: Case, made: Mapping[str, Case], marks: Marks = NO_MARKS) -> tuple[Block, ...]:
    """Show a case and the synthetic ones made of its label map, edited or as it is, on the same slices.

    Args:
        before: The case whose label map was edited.
        made: Synthetic case of each source by the name of its row, at least one; the first one decides the slices.
        marks: What was measured of a row besides the volume of its lesion, by its name.
    """
    windows = windows_of(before)
    contrasts = tuple(dict.fromkeys(m for case in made.values() for m in case.images))
    labels = before.require_labels(), next(iter(made.values())).require_labels()

    def draw(axis: int) -> Rows:
        place = (axis, shared_slice(*labels, axis))
        cases = {"before": before, **made}
        return [
            (marked(with_volume(n, c), marks, n), slice_row(c.require_labels(), c.images, contrasts, place, windows))
            for n, c in cases.items()
        ]

    what = "the synthetic case" if len(made) == 1 else f"the synthetic cases of {', '.join(made)}"
    edits = _edits(made)
    of_map = f"its edited label map (edits: {edits})" if edits else "its label map as it is"
    caption = (
        f"{before.case_id} before, and {what} made of {of_map}, on the same slices"
        f"{': those that show both lesions best, else the edited one' if edits else ''}. Grey windows are those of the "
        f"case before. {VOLUME_MARK}"
    )
    return in_planes(draw, ("labels", *(m.title for m in contrasts)), caption, f"{before.case_id} before and after")


def painted_maps(
    cases: Mapping[str, Case], windows: Mapping[Modality, Window], title: str, marks: Marks = NO_MARKS
) -> tuple[Block, ...]:
    """Show label maps that no scan belongs to, beside the images that were painted of them.

    Args:
        cases: Synthetic cases by the name of their row, at least one.
        windows: Grey windows, such as those of a training subject.
        title: Title of the source.
        marks: What was measured of a row besides the volume of its lesion, by its name.
    """
    contrasts = tuple(dict.fromkeys(m for case in cases.values() for m in case.images))

    def draw(axis: int) -> Rows:
        rows: Rows = []
        for name, case in cases.items():
            labels = case.require_labels()
            place = (axis, best_slice(labels, axis))
            shown = marked(with_volume(name, case), marks, name)
            rows.append((shown, slice_row(labels, case.images, contrasts, place, windows)))
        return rows

    caption = (
        f"{title}: label maps that were drawn from noise, and the image made of each. Grey windows are those of a "
        f"training subject. {VOLUME_MARK}{told_of(marks, ZSCORE_MARK)}"
    )
    return in_planes(draw, ("labels", *(m.title for m in contrasts)), caption, f"Maps from noise and images of {title}")


def edit_series(
    case: Case,
    made: Sequence[tuple[str, Case]],
    title: str,
    *,
    before: LabelMap | None = None,
    marks: Marks = NO_MARKS,
) -> tuple[Block, ...]:
    """Show edited label maps and the images that one method makes of them, a row a map.

    Args:
        case: The scan of the original map, whose grey windows are used.
        made: Name and synthetic case of each row.
        title: Title of the method.
        before: The original map, shown on the same slice before each; none leaves its column out.
        marks: What was measured of a row, by its name.
    """
    windows, contrasts = windows_of(case), tuple(m for m in case.images if m in made[0][1].images)

    def draw(axis: int) -> Rows:
        rows: Rows = []
        for name, other in made:
            labels = other.require_labels()
            place = (axis, shared_slice(before or labels, labels, axis))
            first = slice_row(before, {}, (), place, windows) if before else ()
            shown = (*first, *slice_row(labels, other.images, contrasts, place, windows))
            rows.append((marked(name.replace(", ", ",\n"), marks, name), shown))
        return rows

    what = "draws of one label map; whatever differs between rows differs between draws"
    if before is not None:
        what = (
            "one label map of an unseen subject before and after each edit on the same slice, and the image made of it"
        )
    columns = (*(("before",) if before else ()), "labels", *(m.title for m in contrasts))
    return in_planes(
        draw,
        columns,
        f"{title}: {what}.{told_of(marks, DICE_MARK)}",
        f"Rows of label maps and images of {title}",
    )


def windows_of(case: Case) -> dict[Modality, Window]:
    """Grey windows of a case, which the images made of its map share."""
    brain = case.require_labels().foreground
    return {modality: window_of(volume.voxels, brain) for modality, volume in case.images.items()}


def as_volumes(images: Mapping[Modality, Voxels], case: Case) -> dict[Modality, Volume]:
    """Arrays as volumes on a case's grid."""
    grid = case.require_labels().geometry
    return {modality: Volume(voxels, grid, modality) for modality, voxels in images.items()}


def spread_over(cohort: Cohort, most: int) -> tuple[CaseRef, ...]:
    """Cases evenly spread over a cohort."""
    places = np.unique(np.linspace(0, len(cohort) - 1, min(most, len(cohort))).round().astype(int))
    return tuple(cohort.cases[int(place)] for place in places)


def marked(shown: str, marks: Marks, name: str | None = None) -> str:
    """Return the name of a row with what was measured of it below; the name alone where nothing was.

    Args:
        shown: The name as it is shown.
        marks: What was measured, by name.
        name: The name in `marks`, if another.
    """
    return "\n".join(filter(None, (shown, marks.get(shown if name is None else name, ""))))


def told_of(marks: Marks, sentence: str) -> str:
    """Return what a caption says of marks; empty where there are none."""
    return sentence if any(marks.values()) else ""


def with_volume(name: str, case: Case) -> str:
    """Name of a row with the volume of the whole tumour in its label map."""
    return f"{name}\n{case.require_labels().volume_ml('WT'):.0f} ml"


def slice_row(
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
    """Edits of synthetic cases; by source where they differ, empty where no map was edited."""
    edits_of = {
        name: ", ".join(dict.fromkeys(in_words(str(edit["kind"])) for edit in case.lineage.edits)) or "none"
        for name, case in made.items()
    }
    if set(edits_of.values()) == {"none"}:
        return ""
    same = len(set(edits_of.values())) == 1
    return next(iter(edits_of.values())) if same else "; ".join(f"{name} {edits}" for name, edits in edits_of.items())
