"""Make synthetic cases from edited label maps of training subjects."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from glioforge.core import Cohort, InputFileError
from glioforge.data import CASES, find_case
from glioforge.lesions import RecipeSpec
from glioforge.runs import make_synthetic
from glioforge.sampling import load_sampler, sample_cohort
from glioforge.studies import Context, Record, cohort_in
from glioforge.studies.steps.train import MODEL, open_synthesizer
from glioforge.synthesis import TrainedSynthesizer

MADE: Final = "made"
"""Folder of the synthetic cohort below that of a task."""
MAPS: Final = "maps"
"""Folder of label maps from noise below that of a task."""


def make_cases(
    context: Context,
    *,
    source: str,
    recipe: RecipeSpec | None,
    count: int,
    seed: int,
    subjects: Sequence[str] | None = None,
) -> Record:
    """Make synthetic cases from edited label maps of training subjects.

    Args:
        context: The task; reads the side train, and needs the trained synthesizer of a source.
        source: Name of the cohort.
        recipe: Lesion edits; none keeps the label maps as they are.
        count: Cases for each training case.
        seed: Seed of edits and images.
        subjects: Training subjects whose label maps are taken; all unless given.
    """
    train = context.cohort("train")
    made = make_synthetic(
        train if subjects is None else train.of_subjects(subjects, train.name),
        source_synthesizer(context),
        recipe,
        context.folder / MADE,
        count=count,
        seed=seed,
        name=source,
        progress=context.progress,
    )
    return context.record(made={"cohort": made.fingerprint}, details={"made": len(made)})


def make_sampled(context: Context, *, source: str, count: int, seed: int) -> Record:
    """Draw label maps from noise and make an image of each.

    Args:
        context: The task; reads the side train, and needs a trained sampler and a trained synthesizer.
        source: Name of the cohort.
        count: Number of maps.
        seed: Seed of maps and images.
    """
    sampler = load_sampler(context.place("sampler") / MODEL, context.accelerator)
    maps = sample_cohort(sampler, count, context.folder / MAPS, seed=seed, progress=context.progress)
    return paint(context, maps, source, seed)


def paint(context: Context, maps: Cohort, source: str, seed: int) -> Record:
    """Make an image of each label map that no scan belongs to, by the synthesizer of the source."""
    made = make_synthetic(
        maps,
        source_synthesizer(context),
        None,
        context.folder / MADE,
        name=source,
        unlabelled=True,
        seed=seed,
        progress=context.progress,
    )
    return context.record(made={"cohort": made.fingerprint}, details={"made": len(made)})


def source_synthesizer(context: Context) -> TrainedSynthesizer:
    """The trained synthesizer that a task needs: a generator, or a control."""
    kind = "control" if context.need("generator") is None else "generator"
    return open_synthesizer(context.place(kind), context.accelerator)


def intact(folder: Path) -> bool:
    """Whether every case that `make_cases` left is whole."""
    store = folder / MADE / CASES
    try:
        return all(find_case(store, ref.case_id) is not None for ref in cohort_in(folder / MADE))
    except InputFileError:
        return False
