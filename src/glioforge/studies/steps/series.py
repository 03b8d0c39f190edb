"""Edit the label map of one unseen subject in many ways, for the pictures of a comparison of synthesizers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from glioforge.core import Case, CaseRef, Cohort, EditError, stream
from glioforge.data import write_case
from glioforge.io import write_cohort
from glioforge.lesions import LesionBank, RecipeSpec, edit_labels, edited_lineage
from glioforge.studies import Context, Record
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
    source, folder = _typical(test.cases), context.folder
    streams = {slug(recipe.name): stream(seed, recipe.name) for recipe in recipes}
    named = {slug(recipe.name): recipe for recipe in recipes}
    edited, notes = edited_cases(context, source, named, (streams, donors, root_seed))
    series = Cohort("series", (write_case(folder, kept_as(source, ORIGINAL)), *edited), test.scheme, test.source)
    write_cohort(series, folder)
    details = {"source": source.case_id}
    return context.record(notes=notes, made={"cohort": series.fingerprint}, details=details)


def kept_as(ref: CaseRef, case_id: str) -> Case:
    """Return a case's label map as it is under another id, without images."""
    labels = ref.load().require_labels()
    return Case(case_id, ref.subject_id, {}, ref.lineage, labels, labels.foreground)


def edited_cases(
    context: Context,
    source: CaseRef,
    recipes: Mapping[str, RecipeSpec],
    draws: tuple[Mapping[str, np.random.Generator], LesionBank, int],
) -> tuple[list[CaseRef], tuple[str, ...]]:
    """Edit the label map of one case in every way, and keep the maps in the task's folder.

    Args:
        context: The task.
        source: The case.
        recipes: The edits by the ids of the new cases.
        draws: Random stream of each recipe, lesions to put in, and the seed that lineages name.

    Returns:
        The new cases, and a note on each recipe that suits no place of the map.
    """
    streams, donors, root_seed = draws
    labels, made, notes = source.load().require_labels(), list[CaseRef](), list[str]()
    for case_id, recipe in recipes.items():
        try:
            edited, records = edit_labels(labels, recipe, streams[case_id], donors)
        except EditError as error:
            notes.append(f"{recipe.name}: {error}")
            context.progress.say(f"edit left out: {notes[-1]}")
            continue
        lineage = edited_lineage({source.case_id: source.lineage}, records, seed=root_seed)
        case = Case(case_id, source.subject_id, {}, lineage, edited, edited.foreground)
        made.append(write_case(context.folder, case))
    return made, tuple(notes)


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
