"""Edited label maps of training subjects, and the synthetic cases made from them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import EditRecord, Progress, Silent
from glioforge.core.rng import stream
from glioforge.lesions.recipe import RecipeSpec, edit_labels
from glioforge.synthesis.base import TrainedSynthesizer
from glioforge.synthesis.compose import LabelCase, synthesize_cohort

DRAWS = 5
"""Times that a recipe is drawn anew for a map on which an edit has no valid place."""


def make_synthetic(
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

    A map on which no draw of the recipe finds a valid place is left out, and said so.
    """
    for ref in cohort:
        labels = ref.load().require_labels()
        parents = {ref.case_id: ref.lineage}
        for number in range(count):
            case_id = f"{ref.case_id}-syn{number:02d}"
            edited = _edited(labels, recipe, seed, case_id)
            if edited is None:
                progress.say(f"{case_id}: no valid place for an edit in {DRAWS} draws, left out")
                continue
            yield _label_case(case_id, edited, parents)


def _edited(
    labels: LabelMap, recipe: RecipeSpec | None, seed: int, case_id: str
) -> tuple[LabelMap, tuple[EditRecord, ...]] | None:
    """Map and records of the first draw that works."""
    if recipe is None:
        return labels, ()
    for draw in range(DRAWS):
        try:
            return edit_labels(labels, recipe, stream(seed, "edit", case_id, draw))
        except EditError:
            continue
    return None


def _label_case(
    case_id: str, edited: tuple[LabelMap, tuple[EditRecord, ...]], parents: Mapping[str, Lineage]
) -> LabelCase:
    """Item for `synthesize_cohort`."""
    labels, records = edited
    return LabelCase(case_id, labels, parents, tuple(record.to_json() for record in records))
