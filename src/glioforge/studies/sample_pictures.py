"""The pictures of an augmentation report: what was made, beside what it was made from."""

from collections.abc import Mapping

import numpy as np

from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelScheme
from glioforge.core.modality import Modality
from glioforge.core.volume import Volume, Voxels
from glioforge.data.statistics import fit_statistics
from glioforge.io.cohort_file import read_cohort
from glioforge.report.page import Figure
from glioforge.report.plots import label_legend, picture_grid
from glioforge.report.slices import Picture, Window, best_slice, case_pictures, window_of
from glioforge.studies.folder import FoldFolder
from glioforge.studies.scoring import class_mean_images

MOST_TEST_CASES = 2
MOST_EDITED_CASES = 3


def legend(scheme: LabelScheme) -> Figure:
    """Show the colours of a scheme's labels."""
    return Figure(label_legend(scheme), "Colours of the label maps.", "Legend of label colours")


def unseen_subjects(folder: FoldFolder, train: Cohort, test: Cohort) -> Figure:
    """Test subjects' scans, the generator's images of their labels, and per-class means.

    The generator never saw these subjects; the images serve to look and to measure, never to train.
    """
    made = read_cohort(folder.reconstruction)
    statistics = fit_statistics(train)
    rows: list[tuple[str, tuple[Picture, ...]]] = []
    for ref, twin in list(zip(test, made, strict=True))[:MOST_TEST_CASES]:
        real = ref.load()
        index = best_slice(real.require_labels())
        windows = shared_windows(real)
        rows.append(("real", slice_row(real, real.images, index, windows)))
        rows.append(("generator", slice_row(real, twin.load().images, index, windows)))
        means = class_mean_images(real, statistics)
        rows.append(("class mean", slice_row(real, as_volumes(means, real.geometry), index, windows)))
    columns = ("labels", *(m.title for m in made.modalities))
    caption = (
        "Test subjects, unseen by the generator: the scan, the image made from the scan's label map, and the image in "
        "which every class has its mean intensity over the training subjects. One grey window a contrast and subject."
    )
    return Figure(
        picture_grid(rows, columns), caption, "Rows of real, generated and class-mean slices for test subjects"
    )


def edited_lesions(folder: FoldFolder, train: Cohort) -> Figure:
    """Training subjects' scans and the synthetic cases made from their edited label maps."""
    made = read_cohort(folder.source("generator"))
    rows: list[tuple[str, tuple[Picture, ...]]] = []
    for ref in _spread(made, MOST_EDITED_CASES):
        parent = train[ref.lineage.parents[0]].load()
        synthetic = ref.load()
        edited = synthetic.require_labels()
        index = best_slice(edited)
        windows = shared_windows(parent)
        edits = ", ".join(dict.fromkeys(str(edit["kind"]) for edit in ref.lineage.edits))
        rows.append(("before", slice_row(parent, parent.images, best_slice(parent.require_labels()), windows)))
        rows.append((edits or "unedited", slice_row(synthetic, synthetic.images, index, windows)))
    columns = ("labels", *(m.title for m in made.modalities))
    caption = (
        "Training subjects before, and synthetic cases after their lesions were edited (the row's name tells the "
        "edits). Each row shows the slice with the largest lesion area of its own label map."
    )
    return Figure(picture_grid(rows, columns), caption, "Rows of scans before and synthetic slices after lesion edits")


def slice_row(
    case: Case, images: Mapping[Modality, Volume], index: int, windows: Mapping[Modality, Window]
) -> tuple[Picture, ...]:
    """Label map and contrasts of a slice."""
    return case_pictures(case.require_labels(), images, index, windows)


def shared_windows(case: Case) -> dict[Modality, Window]:
    """Grey windows of a real case, which its synthetic images share."""
    brain = case.require_labels().voxels > 0
    return {modality: window_of(volume.voxels, brain) for modality, volume in case.images.items()}


def as_volumes(images: Mapping[Modality, Voxels], geometry: Geometry) -> dict[Modality, Volume]:
    """Arrays as volumes on a grid."""
    return {modality: Volume(voxels, geometry, modality) for modality, voxels in images.items()}


def _spread(cohort: Cohort, most: int) -> tuple[CaseRef, ...]:
    """Cases evenly spread over a cohort."""
    places = np.unique(np.linspace(0, len(cohort) - 1, min(most, len(cohort))).round().astype(int))
    return tuple(cohort.cases[int(place)] for place in places)
