"""Make synthetic cases from edited label maps of training subjects."""

from pathlib import Path
from typing import Final

from glioforge.core.errors import InputFileError
from glioforge.data.store import find_case
from glioforge.lesions.recipe import RecipeSpec
from glioforge.runs.synthesize import make_synthetic
from glioforge.studies.fold import cohort_in
from glioforge.studies.record import Record
from glioforge.studies.steps.train import open_synthesizer
from glioforge.studies.task import Context
from glioforge.synthesis.compose import CASES

MADE: Final = "made"
"""Folder of the synthetic cohort below that of a task."""


def make_cases(context: Context, *, source: str, recipe: RecipeSpec, count: int, seed: int) -> Record:
    """Make synthetic cases from edited label maps of training subjects.

    Args:
        context: The task; reads the side train, and needs a trained synthesizer of the kind `source`.
        source: Kind of the needed task, and name of the cohort.
        recipe: Lesion edits.
        count: Cases for each training case.
        seed: Seed of edits and images.
    """
    made = make_synthetic(
        context.cohort("train"),
        open_synthesizer(context.place(source), context.accelerator),
        recipe,
        context.folder / MADE,
        count=count,
        seed=seed,
        name=source,
        progress=context.progress,
    )
    return context.record(made={"cohort": made.fingerprint}, details={"made": len(made)})


def intact(folder: Path) -> bool:
    """Whether every case that `make_cases` left is whole."""
    store = folder / MADE / CASES
    try:
        return all(find_case(store, ref.case_id) is not None for ref in cohort_in(folder / MADE))
    except InputFileError:
        return False
