"""Put a cohort through quality filters: who is kept, and why the others are not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from glioforge.config import Spec
from glioforge.core import CaseRef, Cohort, Progress, QualityFilter, Silent, VerdictRow
from glioforge.quality.base import Model, fit_filter


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
