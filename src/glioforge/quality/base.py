"""The family of quality filters: fitted on real training cases, then asked which synthetic ones are kept.

A filter may look at the whole synthetic cohort and be handed trained models (`Evidence`).
It is a part of the training data's history, because its limits come
from real subjects: `subjects` names them, and they join the lineage of every
case that the filter lets through.

Conventions
-----------
score    higher is worse; a case is kept while its score is at most the limit
limit    set from real training cases, so that a stated share of real cases
         of unseen subjects would be refused
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Protocol, Self

from pydantic import BeforeValidator, SerializeAsAny

from glioforge.config import Registry, Spec
from glioforge.core import (
    Case,
    CaseRef,
    Cohort,
    Progress,
    QualityFilter,
    Silent,
    Verdict,
    VerdictRow,
)
from glioforge.quality.evidence import Evidence, Model, calibrated_limit, folds_of

__all__ = [
    "FILTERS",
    "AnyFilter",
    "Case",
    "Evidence",
    "FilterSpec",
    "Model",
    "Verdict",
    "calibrated_limit",
    "fit_filter",
    "folds_of",
]


class FilterSpec(Spec):
    """Base of the settings of a filter; a filter's own spec adds `kind`."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the trained models that it must be given, such as `segmenter`; most filters need none."""
        return ()


class _Fits(QualityFilter, Protocol):
    """A class of filters: made by `fit`, told apart by `kind`."""

    @classmethod
    def fit(cls, spec: Any, evidence: Evidence) -> Self:  # noqa: ANN401 - each filter takes its own spec
        """Set the limits.

        Raises:
            CohortError: There are too few cases to set a limit from.
            SpecError: A model that the filter needs was not given.
        """
        ...


FILTERS: Registry[_Fits] = Registry("filter", "glioforge.quality.filters")
"""All quality filters by kind."""

AnyFilter = Annotated[SerializeAsAny[FilterSpec], BeforeValidator(FILTERS.parse)]
"""A filter's settings, told by `kind`, as a field of another spec."""


def fit_filter(
    spec: Spec,
    train: Cohort,
    *,
    made: Cohort | None = None,
    models: Mapping[str, Model] | None = None,
    seed: int,
) -> QualityFilter:
    """Fit the filter that the spec configures.

    Args:
        spec: Settings of the filter.
        train: Real training cases.
        made: The whole synthetic cohort that will be judged, for filters that look at it; none is an empty one.
        models: Trained models by name, for filters that ask for them.
        seed: Seed of filters that draw.

    Raises:
        SpecError: No filter belongs to the spec, or a model that it needs was not given.
        CohortError: There are too few cases to set a limit from.
    """
    judged = replace(train, name="none", cases=()) if made is None else made
    return FILTERS.part_for(spec).fit(spec, Evidence(train, judged, seed, models or {}))


def check_cohort(
    made: Cohort,
    train: Cohort,
    specs: Sequence[Spec],
    *,
    models: Mapping[str, Model] | None = None,
    seed: int,
    progress: Progress | None = None,
) -> tuple[Cohort, tuple[VerdictRow, ...]]:
    """Fit filters on real training cases and judge every made case by all of them.

    Args:
        made: Cases to judge; may be empty.
        train: Real training cases in the same scheme; no evaluation subject may be among them.
        specs: Filters in the order of the funnel; with none, all cases are kept.
        models: Trained models by name, for filters that ask for them.
        seed: Of filters that draw.
        progress: Where to show progress.

    Returns:
        The cases that every filter keeps, whose lineage names the filters' subjects too,
        and all verdicts, filter by filter within each case.

    Raises:
        CohortError: A filter cannot be fitted to so few cases.
        SpecError: A filter needs a model that was not given.
    """
    progress = progress or Silent()
    given = Evidence(train, made, seed, models or {})
    for spec in specs:
        for name in getattr(spec, "models", ()):
            given.model(name, _kind(spec))
    tracked = progress.track(specs, "fitting filters", len(specs))
    filters = [(_kind(spec), fit_filter(spec, train, made=made, models=models, seed=seed)) for spec in tracked]
    return apply_filters(made, filters, progress=progress)


def apply_filters(
    made: Cohort, filters: Iterable[tuple[str, QualityFilter]], *, progress: Progress | None = None
) -> tuple[Cohort, tuple[VerdictRow, ...]]:
    """Judge every case by fitted filters, each named; see `check_cohort`."""
    named = list(filters)
    if not named:
        return made, ()
    rows: list[VerdictRow] = []
    kept: list[CaseRef] = []
    for ref in (progress or Silent()).track(made, "checking quality", len(made)):
        verdicts = _verdicts(ref, named)
        rows += verdicts
        if all(row.keep for row in verdicts):
            kept.append(_screened(ref, named))
    return replace(made, cases=tuple(kept)), tuple(rows)


def _kind(spec: Spec) -> str:
    """Name of the filter that the spec configures."""
    return str(spec.model_dump()["kind"])


def _verdicts(ref: CaseRef, filters: Sequence[tuple[str, QualityFilter]]) -> list[VerdictRow]:
    """Verdicts of all filters on one case, read once."""
    case = ref.load()
    said = [(name, fitted.assess(case)) for name, fitted in filters]
    return [VerdictRow(ref.case_id, name, v.keep, v.score, v.reason) for name, v in said]


def _screened(ref: CaseRef, filters: Sequence[tuple[str, QualityFilter]]) -> CaseRef:
    """The reference with the filters' subjects in its lineage."""
    lineage = ref.lineage
    for name, fitted in filters:
        lineage = lineage.through(f"filter {name}", fitted.subjects)
    return replace(ref, lineage=lineage)
