"""Synthetic cases from label maps of training subjects, as a cohort or fresh ones while a segmenter trains.

Fresh cases are mixtures of real ones, or images of edited or drawn label maps.  Hosts take turns, and each case draws
from a random stream of its number, so that workers, stops and resumption change nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, final

from glioforge.compute import ParallelSpec
from glioforge.config import Spec
from glioforge.core import (
    Case,
    CaseRef,
    Cohort,
    EditError,
    Lineage,
    Progress,
    Silent,
    not_prepared,
    require_labelled,
    require_prepared_alike,
)
from glioforge.data import FreshCases
from glioforge.io import require_no_loss
from glioforge.labelmaps import LabelEngine
from glioforge.lesions import Editor, RecipeSpec, edit_cohort
from glioforge.mixing import Mixer, require_mixable
from glioforge.synthesis import Imager, LabelCase, TrainedSynthesizer, synthesize_cohort

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


Made = TypeVar("Made")
ATTEMPTS = 10
"""Draws for a case before a training stops because nothing valid is found."""


def fresh_mixtures(cohort: Cohort, spec: Spec, *, reuse: float = 4.0, workers: int = 1, seed: int = 1) -> FreshCases:
    """Return what mixes cases of a cohort while a segmenter trains.

    Args:
        cohort: Prepared, labelled training cases of one grid.
        spec: A mixing's settings.
        reuse: How often each slice of a case is drawn on average.
        workers: Processes that make cases; 0 for none beside the training.
        seed: Seed of all draws.

    Raises:
        CohortError: The cohort was not prepared, its cases differ in grid, or there is no donor.
    """
    require_mixable(cohort, spec)
    key = {"mixing": spec.model_dump(mode="json"), "cohort": cohort.fingerprint, "seed": seed}
    return FreshCases(_Mixtures(Mixer(spec, cohort, seed)), cohort.lineage, key, reuse, workers)


def fresh_images(
    cohort: Cohort,
    synthesizer: TrainedSynthesizer,
    recipe: RecipeSpec | None,
    *,
    reuse: float = 4.0,
    workers: int = 1,
    seed: int = 1,
) -> FreshCases:
    """Return what edits label maps of a cohort and makes images of them while a segmenter trains.

    Args:
        cohort: Prepared training cases with complete label maps.
        synthesizer: Trained generator; workers read it from its folder.
        recipe: Lesion edits; none keeps the maps, so that images alone are fresh.
        reuse: How often each slice of a case is drawn on average.
        workers: Processes that make cases; 0 for none beside the training.
        seed: Seed of edits and images.
    """
    editor = None if recipe is None else Editor.of(cohort, recipe, seed)
    make = _Images(cohort, editor, Imager(synthesizer, seed))
    key = {
        "synthesizer": synthesizer.weights_hash,
        "recipe": None if recipe is None else recipe.model_dump(mode="json"),
        "cohort": cohort.fingerprint,
        "seed": seed,
    }
    lineage = Lineage.union("cases made while training", [cohort.lineage, synthesizer.lineage])
    return FreshCases(make, lineage, key, reuse, workers)


def fresh_drawn(
    engine: LabelEngine, synthesizer: TrainedSynthesizer, *, reuse: float = 4.0, workers: int = 1, seed: int = 1
) -> FreshCases:
    """Return what draws label maps and makes images of them while a segmenter trains.

    Args:
        engine: Draws label maps by their numbers.
        synthesizer: Trained generator; workers read it from its folder.
        reuse: How often each slice of a case is drawn on average.
        workers: Processes that make cases; 0 for none beside the training.
        seed: Seed of the images.
    """
    key = {"synthesizer": synthesizer.weights_hash, "maps": engine.key, "seed": seed}
    given = (engine.sources.train, engine.sources.healthy, engine.sources.tumours)
    cohorts = [cohort.lineage for cohort in given if cohort is not None]
    lineage = Lineage.union("cases made while training", [*cohorts, synthesizer.lineage])
    return FreshCases(_Drawn(engine, Imager(synthesizer, seed)), lineage, key, reuse, workers)


@final
@dataclass(frozen=True)
class _Mixtures:
    """Mixed case of a number."""

    mixer: Mixer

    def __call__(self, number: int) -> Case:
        """Mix the host whose turn it is."""
        return _turn(self.mixer.cohort, number, self.mixer.mixed)


@final
@dataclass(frozen=True, eq=False)
class _Images:
    """Synthetic case of a number."""

    cohort: Cohort
    editor: Editor | None
    imager: Imager

    def __call__(self, number: int) -> Case:
        """Edit the map whose turn it is, and make its images."""
        return self.imager.case(_turn(self.cohort, number, self._labels))

    def _labels(self, ref: CaseRef, case_id: str) -> LabelCase:
        """The label map of a new case, and where it comes from."""
        if self.editor is None:
            return LabelCase(case_id, ref.load().require_labels(), {ref.case_id: ref.lineage})
        edited = self.editor.edited(ref, case_id)
        parents = dict.fromkeys(edited.lineage.parents, edited.lineage)
        return LabelCase(case_id, edited.require_labels(), parents, edited.lineage.edits)


@final
@dataclass(frozen=True, eq=False)
class _Drawn:
    """Synthetic case of the map of a number."""

    engine: LabelEngine
    imager: Imager

    def __call__(self, number: int) -> Case:
        """Draw the map, and make its images."""
        drawn = self.engine.draw(number)
        parents = dict.fromkeys(drawn.lineage.parents or (drawn.case_id,), drawn.lineage)
        return self.imager.case(LabelCase(drawn.case_id, drawn.labels, parents, drawn.lineage.edits))


def _turn(cohort: Cohort, number: int, make: Callable[[CaseRef, str], Made]) -> Made:
    """What is made of the case whose turn it is, drawn again where a draw finds nothing valid; hosts change too."""
    refs, reason = cohort.cases, ""
    for attempt in range(ATTEMPTS):
        try:
            return make(refs[(number + attempt) % len(refs)], f"fresh{number:05d}-{attempt}")
        except EditError as error:
            reason = str(error)
    raise EditError(f"fresh case {number} failed {ATTEMPTS} times: {reason}", "a valid draw", "widen the settings")
