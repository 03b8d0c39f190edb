"""The pictures of a comparison of synthesizers: one label map as every method paints it, and its edits."""

from collections.abc import Mapping, Sequence

import numpy as np

from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.modality import Modality
from glioforge.core.volume import Volume
from glioforge.io.cohort_file import read_cohort
from glioforge.report.page import Figure
from glioforge.report.plots import SLICE_CONVENTION, picture_grid
from glioforge.report.slices import Picture, Window, best_slice, grey
from glioforge.studies.base import PhantomData
from glioforge.studies.comparing import SynthesizersSpec
from glioforge.studies.folder import StudyFolder
from glioforge.studies.gather import load_fold
from glioforge.studies.likeness import true_images, truth_name
from glioforge.studies.sample_pictures import as_volumes, shared_windows, slice_row
from glioforge.studies.synthesizer_stages import ORIGINAL, draws_of, slug

Rows = list[tuple[str, tuple[Picture, ...]]]
MOST_SUBJECTS = 3
"""Subjects shown."""
MOST_ERROR = 1.5
"""Error that is white in pictures."""


def method_grids(spec: SynthesizersSpec, folder: StudyFolder, methods: Mapping[str, str]) -> list[Figure]:
    """A grid for each of the first test subjects: the scan, then every method's image of its label map."""
    test = load_fold(folder, 0).test
    return [_grid(spec, folder, methods, ref) for ref in test.cases[:MOST_SUBJECTS]]


def series_figure(spec: SynthesizersSpec, folder: StudyFolder, name: str, title: str, source: str) -> Figure:
    """The edited label maps as one method paints them, a row an edit."""
    real, made, contrasts = _series_of(folder, name, source)
    windows = shared_windows(real)
    rows: Rows = [("scan", slice_row(real, _only(real, contrasts), best_slice(real.require_labels()), windows))]
    for label in (ORIGINAL, *(recipe.name for recipe in spec.series)):
        if slug(label) in {ref.case_id for ref in made}:
            case = made[slug(label)].load()
            rows.append((label.replace(", ", ",\n"), _case_row(case, contrasts, windows)))
    caption = (
        f"{title}: one label map of an unseen subject, as it is and after each edit, and the image made of it. Each "
        f"row shows the slice with the largest lesion of its own map; grey windows are those of the scan. "
        f"{SLICE_CONVENTION}"
    )
    columns = ("labels", *(m.title for m in contrasts))
    return Figure(picture_grid(rows, columns), caption, f"Rows of edited label maps and images of {title}")


def draws_figure(folder: StudyFolder, name: str, title: str, source: str) -> Figure | None:
    """Several draws of the original map as one method paints them; none where none were asked for."""
    real, made, contrasts = _series_of(folder, name, source)
    windows = shared_windows(real)
    rows: Rows = [(ref.case_id.replace("-", " "), _case_row(ref.load(), contrasts, windows)) for ref in draws_of(made)]
    if not rows:
        return None
    caption = f"{title}: draws of one label map; whatever differs between rows was drawn anew. Windows of the scan."
    columns = ("labels", *(m.title for m in contrasts))
    return Figure(picture_grid(rows, columns), caption, f"Rows of draws of one label map by {title}")


def _grid(spec: SynthesizersSpec, folder: StudyFolder, methods: Mapping[str, str], ref: CaseRef) -> Figure:
    """One subject as every method paints it."""
    real = ref.load()
    index, windows = best_slice(real.require_labels()), shared_windows(real)
    images = {name: _image_cohort(folder, name)[ref.case_id].load() for name in methods}
    contrasts = tuple(m for m in real.images if any(m in case.images for case in images.values()))
    truth = as_volumes(dict(true_images(spec, ref, real)), real.geometry)
    rows: Rows = [("scan", slice_row(real, _only(real, contrasts), index, windows))]
    if isinstance(spec.data, PhantomData):
        pictures = slice_row(real, {m: truth[m] for m in contrasts}, index, windows)
        rows.append(("noise-free", (Picture.blank(pictures[0]), *pictures[1:])))
    for name, case in images.items():
        shown = slice_row(real, case.images, index, windows)[1:]
        made = dict(zip(case.images, shown, strict=True))
        blank = Picture.blank(shown[0])
        row = (_error(real, case, truth, index), *(made.get(modality, blank) for modality in contrasts))
        rows.append((methods[name], row))
    caption = (
        f"Subject {ref.subject_id}, unseen by every method: one draw of each method for the label map beside the scan. "
        "The grey window of a contrast is that of the scan in all rows. The first column of a method shows its error: "
        f"the absolute difference from the {truth_name(spec)}, mean over contrasts, white from {MOST_ERROR} standard "
        f"deviations of the brain. {SLICE_CONVENTION}"
    )
    columns = ("labels; error", *(m.title for m in contrasts))
    return Figure(picture_grid(rows, columns), caption, "The scan and the image of every method for one label map")


def _error(real: Case, made: Case, truth: Mapping[Modality, Volume], index: int) -> Picture:
    """Mean absolute difference from the truth over contrasts, in grey."""
    errors = [np.abs(made.images[m].voxels - truth[m].voxels)[:, :, index] for m in made.images if m in truth]
    brain = real.require_labels().voxels[:, :, index] > 0
    return Picture(grey(np.stack(errors).mean(axis=0), brain, (0.0, MOST_ERROR)))


def _series_of(folder: StudyFolder, name: str, source: str) -> tuple[Case, Cohort, tuple[Modality, ...]]:
    """The case that the series starts from, what a method made of the series, and the contrasts it made."""
    made = read_cohort(folder.fold(0).method(name, 0) / "series")
    real = read_cohort(folder.prepared)[source].load()
    return real, made, tuple(m for m in real.images if m in made.modalities)


def _image_cohort(folder: StudyFolder, name: str) -> Cohort:
    """What a method made of the test subjects' label maps."""
    return read_cohort(folder.fold(0).method(name, 0) / "images")


def _case_row(case: Case, contrasts: Sequence[Modality], windows: Mapping[Modality, Window]) -> tuple[Picture, ...]:
    """A synthetic case's own map and images."""
    return slice_row(case, _only(case, contrasts), best_slice(case.require_labels()), windows)


def _only(case: Case, contrasts: Sequence[Modality]) -> dict[Modality, Volume]:
    """A case's images of these contrasts."""
    return {modality: case.images[modality] for modality in contrasts}
