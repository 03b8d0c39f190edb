"""Put synthetic cases through the study's quality filters."""

from collections.abc import Sequence

from glioforge.config import Spec
from glioforge.core import CohortError, QualityFilter
from glioforge.quality import apply_filters, fit_filter
from glioforge.studies import Context, Record, cohort_in
from glioforge.studies.steps.synthesize import MADE


def screen_cases(
    context: Context, *, filters: Sequence[Spec], seed: int, subjects: Sequence[str] | None = None
) -> Record:
    """Judge synthetic cases; their ids that pass are what arms train on.

    Args:
        context: The task; reads the side train, and needs synthetic cases.
        filters: Filters in the order of the funnel; one that cannot be fitted to so few cases is left out with a note.
        seed: Seed of filters that draw.
        subjects: Training subjects that the filters are fitted on; all unless given.
    """
    train = context.cohort("train")
    if subjects is not None:
        train = train.of_subjects(subjects, train.name)
    fitted: list[tuple[str, QualityFilter]] = []
    notes: list[str] = []
    made = cohort_in(context.place("cases") / MADE)
    for spec in filters:
        try:
            fitted.append((spec.model_dump()["kind"], fit_filter(spec, train, made=made, seed=seed)))
        except CohortError as error:
            notes.append(str(error))
    kept, verdicts = apply_filters(made, fitted, progress=context.progress)
    return context.record(
        notes=tuple(notes),
        made={"cohort": made.fingerprint, "kept": [ref.case_id for ref in kept]},
        details={"made": len(made), "kept": len(kept), "verdicts": [row.to_json() for row in verdicts]},
    )
