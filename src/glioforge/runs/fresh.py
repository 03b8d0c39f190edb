"""Fresh cases for a segmenter that trains: mixtures of real cases, or images of edited or drawn label maps.

Hosts take turns, and each case draws from a random stream of its number, so that
workers, stops and resumption change nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, final

from glioforge.config import Spec
from glioforge.core import Case, CaseRef, Cohort, EditError, Lineage
from glioforge.data import FreshCases
from glioforge.labelmaps import LabelEngine
from glioforge.lesions import Editor, RecipeSpec
from glioforge.mixing import Mixer, require_mixable
from glioforge.synthesis import Imager, LabelCase, TrainedSynthesizer

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
