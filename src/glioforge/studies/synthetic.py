"""Edited label maps of training subjects, and the synthetic cases made from them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from glioforge.core.cohort import Cohort
from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap
from glioforge.core.protocols import EditRecord, Progress, Silent
from glioforge.core.rng import stream
from glioforge.lesions.recipe import RecipeSpec, edit_labels
from glioforge.synthesis.base import TrainedSynthesizer
from glioforge.synthesis.compose import LabelCase, synthesize_cohort


def make_synthetic(  # noqa: PLR0913 - source, place and amount, by keyword
    synthesizer: TrainedSynthesizer,
    cohort: Cohort,
    recipe: RecipeSpec | None,
    out: Path,
    *,
    count: int = 1,
    seed: int = 1,
    name: str = "synthetic",
    progress: Progress | None = None,
) -> Cohort:
    """Make synthetic cases from the label maps of a cohort.

    Args:
        synthesizer: Trained generator.
        cohort: Prepared cases with complete label maps; empty gives an empty cohort.
        recipe: Lesion edits; none keeps the maps as they are.
        out: Folder of the new cohort; cases that it already holds are kept.
        count: Synthetic cases for each case.
        seed: Seed of edits and images.
        name: Name of the new cohort.
        progress: Where to show progress.

    Raises:
        CaseError: A case has no label map.
        LabelError: The maps are in another scheme than the generator's.
    """
    progress = progress or Silent()
    cases = label_cases(cohort, recipe, count=count, seed=seed, progress=progress)
    return synthesize_cohort(synthesizer, cases, out, name=name, seed=seed, progress=progress)


def label_cases(
    cohort: Cohort, recipe: RecipeSpec | None, *, count: int, seed: int, progress: Progress
) -> Iterator[LabelCase]:
    """Edited label maps, `count` of each case, with the lineage they inherit.

    A map on which the recipe finds no valid place is left out, and said so.
    """
    for ref in cohort:
        labels = ref.load().require_labels()
        parents = {ref.case_id: ref.lineage}
        for number in range(count):
            case_id = f"{ref.case_id}-syn{number:02d}"
            try:
                edited, records = _edited(labels, recipe, stream(seed, "edit", case_id))
            except EditError as error:
                progress.say(f"{case_id} is left out: {error}")
                continue
            yield LabelCase(case_id, edited, parents, tuple(record.to_json() for record in records))


def _edited(
    labels: LabelMap, recipe: RecipeSpec | None, rng: np.random.Generator
) -> tuple[LabelMap, tuple[EditRecord, ...]]:
    """Map and records after a recipe; the map itself without one."""
    return (labels, ()) if recipe is None else edit_labels(labels, recipe, rng)
