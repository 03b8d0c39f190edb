"""Synthetic cases from the label maps of training subjects, edited by a recipe or as they are."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from glioforge.compute import ParallelSpec
from glioforge.core import CaseRef, Cohort, Progress, Silent, not_prepared, require_labelled, require_prepared_alike
from glioforge.io import require_no_loss
from glioforge.lesions import RecipeSpec
from glioforge.lesions.edit_cohort import edit_cohort
from glioforge.synthesis import LabelCase, TrainedSynthesizer, synthesize_cohort

LABELS = "labels"
"""Folder of the edited label maps below a synthetic cohort."""


def make_synthetic(  # noqa: PLR0913 - source, place and amount, by keyword
    cohort: Cohort,
    synthesizer: TrainedSynthesizer,
    recipe: RecipeSpec | None,
    out: Path,
    *,
    count: int = 1,
    name: str = "synthetic",
    unlabelled: bool = False,
    seed: int = 1,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Make synthetic cases from the label maps of a cohort.

    Args:
        cohort: Prepared cases with complete label maps; empty gives an empty cohort.
        synthesizer: Trained generator.
        recipe: Lesion edits; none keeps the maps as they are.
        out: Folder of the new cohort; cases that it already holds are kept.
        count: Synthetic cases for each case.
        name: Name of the new cohort.
        unlabelled: Also take maps of scans that came without labels; nobody knows whether these brains are healthy.
        seed: Seed of edits and images.
        parallel: How edits and synthesis are distributed over processes; one unless given.
            The bytes do not depend on it.
        progress: Where to show progress.

    Raises:
        CaseError: A case has no label map.
        EditError: The recipe suits none of the maps.
        LabelError: The maps are in another scheme than the generator's.
        CohortError: The cohort was prepared otherwise than the generator's training cases, or scans without labels
            are among it.
        OutputError: The folder holds synthetic cases of other maps or settings, or cannot be written.
    """
    progress = progress or Silent()
    if not unlabelled:
        require_labelled(
            cohort,
            "label these cases or leave them out; `unlabelled` (--unlabelled) takes their maps as healthy brains",
            cohort.where,
        )
    if len(cohort) and not cohort.scheme.is_complete:
        raise not_prepared(cohort.scheme.name, cohort.folder, cohort.where)
    require_prepared_alike(cohort, synthesizer.preparations, synthesizer.folder)
    if recipe is None:
        require_no_loss(out, (_name_of(ref, number) for ref in cohort for number in range(count)))
        cases, total = _as_they_are(cohort, count), len(cohort) * count
    else:
        edited = edit_cohort(cohort, recipe, out / LABELS, count=count, seed=seed, parallel=parallel, progress=progress)
        cases, total = _edited(edited), len(edited)
    return synthesize_cohort(
        synthesizer,
        cases,
        out,
        name=name,
        seed=seed,
        source=cohort.source,
        total=total,
        parallel=parallel,
        progress=progress,
    )


def _as_they_are(cohort: Iterable[CaseRef], count: int) -> Iterator[LabelCase]:
    """Every map so many times; its own case is the parent, whose edits are kept."""
    for ref in cohort:
        labels = ref.load().require_labels()
        for number in range(count):
            yield LabelCase(_name_of(ref, number), labels, {ref.case_id: ref.lineage}, ref.lineage.edits)


def _name_of(ref: CaseRef, number: int) -> str:
    """Id of a synthetic case of a label map that is kept as it is."""
    return f"{ref.case_id}-syn{number:03d}"


def _edited(cohort: Iterable[CaseRef]) -> Iterator[LabelCase]:
    """Every edited map once; the edited case and all donors are the parents."""
    for ref in cohort:
        parents = dict.fromkeys(ref.lineage.parents, ref.lineage)
        case_id = ref.case_id.replace("-edit", "-syn")
        yield LabelCase(case_id, ref.load().require_labels(), parents, ref.lineage.edits)
