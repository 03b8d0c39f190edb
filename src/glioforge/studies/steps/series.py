"""Edit the label map of one unseen subject in many ways, for the pictures of a comparison of synthesizers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from glioforge.core import Case, CaseRef, Cohort, EditError, stream
from glioforge.data import write_case
from glioforge.io import write_cohort
from glioforge.lesions import LesionBank, RecipeSpec, edit_labels, edited_lineage
from glioforge.studies.record import Record
from glioforge.studies.task import Context
from glioforge.synthesis import LabelCase

ORIGINAL: Final = "original"
"""Name of the label map that a series starts from."""


def make_series(context: Context, *, recipes: Sequence[RecipeSpec], seed: int, root_seed: int) -> Record:
    """Edit the label map of one unseen subject in every way of a series; only pictures are made of it.

    Args:
        context: The task; reads the sides train, for donors, and test.
        recipes: The edits; one that suits no place of the map is left out with a note.
        seed: Seed of the edits.
        root_seed: Seed that the lineage names.
    """
    donors = LesionBank.of(context.cohort("train"))
    test = context.cohort("test")
    source = _typical(test.cases)
    labels, folder = source.load().require_labels(), context.folder
    made = [write_case(folder, Case(ORIGINAL, source.subject_id, {}, source.lineage, labels, labels.voxels > 0))]
    notes: list[str] = []
    for recipe in recipes:
        try:
            edited, records = edit_labels(labels, recipe, stream(seed, recipe.name), donors)
        except EditError as error:
            notes.append(f"{recipe.name}: {error}")
            context.progress.say(f"edit left out: {notes[-1]}")
            continue
        lineage = edited_lineage({source.case_id: source.lineage}, records, seed=root_seed)
        case = Case(slug(recipe.name), source.subject_id, {}, lineage, edited, edited.voxels > 0)
        made.append(write_case(folder, case))
    series = Cohort("series", tuple(made), test.scheme, test.source)
    write_cohort(series, folder)
    details = {"source": source.case_id}
    return context.record(notes=tuple(notes), made={"cohort": series.fingerprint}, details=details)


def shown_maps(series: Cohort, draws: int) -> list[LabelCase]:
    """Return every map of a series once, and the original one so many times more."""
    again = [label_case(series[ORIGINAL], f"draw-{number + 1}") for number in range(draws)]
    return [label_case(ref, ref.case_id) for ref in series] + again


def draws_of(images: Cohort) -> tuple[CaseRef, ...]:
    """Return the cases of a series that are further draws of the original map, in order."""
    return tuple(ref for ref in images if ref.case_id.startswith("draw-"))


def label_case(ref: CaseRef, case_id: str) -> LabelCase:
    """Return a case's label map under an id; the case itself, or those it was edited from, are its parents."""
    parents: Mapping[str, Any] = dict.fromkeys(ref.lineage.parents or (ref.case_id,), ref.lineage)
    return LabelCase(case_id, ref.load().require_labels(), parents, ref.lineage.edits)


def slug(name: str) -> str:
    """Return a name as a folder may be called.

    Example:
        >>> slug("healthy brain, new lesion")
        'healthy-brain-new-lesion'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _typical(cases: Sequence[CaseRef]) -> CaseRef:
    """The case whose tumour has the median volume; of those with a tumour, where there are any."""
    volumes = {ref.case_id: ref.load().require_labels().volume_ml("WT") for ref in cases}
    order = sorted(cases, key=lambda ref: (volumes[ref.case_id], ref.case_id))
    with_tumour = [ref for ref in order if volumes[ref.case_id] > 0] or order
    return with_tumour[len(with_tumour) // 2]
