"""Put synthetic cases through the study's quality filters, and train the models that these ask for.

The models are trained on training subjects of the draw alone.  Validation subjects choose the segmenters of the arms,
so they may not be behind a model that decides which cases those are trained on.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from glioforge.core import Cohort, CohortError, QualityFilter, counted, stream
from glioforge.features import train_encoder
from glioforge.quality import FilterSpec, Model, apply_filters, fit_filter
from glioforge.segmentation import SegmenterSpec
from glioforge.studies import Context, Record, chosen, cohort_in
from glioforge.studies.steps.synthesize import MADE
from glioforge.studies.steps.train import fit_segmenter, open_segmenter
from glioforge.training import Budget

SCREENER: Final = "screener"
"""Kind of the task that trains the segmenter which filters ask."""
ENCODER: Final = "encoder"
"""Folder of the encoder below that of a task."""
FEWEST_APART: Final = 3
"""Subjects without whom `segmenter_agreement` has no limit."""


def fit_screener(
    context: Context, *, segmenter: SegmenterSpec, budget: Budget, seed: int, subjects: Sequence[str] | None = None
) -> Record:
    """Train a segmenter for filters on two thirds of the training subjects; the others set the filters' limits.

    It has no validation, so that it trains to its last step.

    Args:
        context: The task; reads the side train.
        segmenter: Settings.
        budget: Length of the training.
        seed: Seed of the division and of the training.
        subjects: Training subjects; all unless given.

    Returns:
        Its record; with a note in place of a model where there are too few subjects.
    """
    train = chosen(context.cohort("train"), subjects)
    order = stream(seed, "apart").permutation(len(train.subject_ids))
    learning = order[max(FEWEST_APART, round(len(order) / 3)) :]
    nobody = replace(train, name="nobody", cases=())
    length = budget.model_copy(update={"patience": None, "gain": None})
    if not len(learning):
        found = f"{counted(len(train.subject_ids), 'training subject')} for a segmenter that filters ask"
        expected = f"some to train it on, and {FEWEST_APART} others to set a limit from"
        remedy = "leave the filter out, or train on more subjects"
        return _without_model(context, CohortError(found, expected, remedy, train.name))
    try:
        return fit_segmenter(
            context,
            segmenter=segmenter,
            budget=length,
            seed=seed,
            train=train.of_subjects([train.subject_ids[place] for place in learning], train.name),
            validation=nobody,
        )
    except CohortError as error:
        return _without_model(context, error)


def screen_cases(
    context: Context, *, filters: Sequence[FilterSpec], seed: int, subjects: Sequence[str] | None = None
) -> Record:
    """Judge synthetic cases; their ids that pass are what arms train on.

    Args:
        context: The task; reads the side train, and needs synthetic cases, and a screener where a filter asks for a
            segmenter.
        filters: Filters in the order of the funnel; one that cannot be fitted to so few cases is left out with a note.
        seed: Seed of filters that draw, and of the encoder.
        subjects: Training subjects that the filters are fitted on; all unless given.
    """
    train = chosen(context.cohort("train"), subjects)
    fitted: list[tuple[str, QualityFilter]] = []
    notes: list[str] = []
    made = cohort_in(context.place("cases") / MADE)
    for spec in filters:
        try:
            models = {name: _model(context, name, train, seed) for name in spec.models}
            fitted.append((spec.model_dump()["kind"], fit_filter(spec, train, made=made, models=models, seed=seed)))
        except CohortError as error:
            notes.append(str(error))
    kept, verdicts = apply_filters(made, fitted, progress=context.progress)
    return context.record(
        notes=tuple(notes),
        made={"cohort": made.fingerprint, "kept": [ref.case_id for ref in kept]},
        details={"made": len(made), "kept": len(kept), "verdicts": [row.to_json() for row in verdicts]},
    )


def _model(context: Context, name: str, train: Cohort, seed: int) -> Model:
    """The segmenter of the screener, or an encoder that is trained here.

    Raises:
        CohortError: There were too few subjects for a segmenter, as its record says.
    """
    if name == ENCODER:
        return train_encoder(train, context.folder / ENCODER, seed=seed, progress=context.progress)
    need = context.need(SCREENER)
    if need is not None and not need.made["weights"]:
        raise CohortError(need.notes[0])
    return open_segmenter(context.place(SCREENER), context.accelerator)


def _without_model(context: Context, error: CohortError) -> Record:
    """Record of a segmenter that could not be trained, with the reason as a note."""
    return context.record(notes=(str(error),), made={"weights": ""})
