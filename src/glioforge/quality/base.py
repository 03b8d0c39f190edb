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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Protocol, Self, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from pydantic import BeforeValidator, SerializeAsAny

from glioforge.config import Registry, Spec
from glioforge.core import (
    Case,
    CaseRef,
    Cohort,
    CohortError,
    Lineage,
    Modality,
    Progress,
    QualityFilter,
    Silent,
    SpecError,
    Verdict,
    VerdictRow,
)
from glioforge.data import cases_like

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


@runtime_checkable
class Model(Protocol):
    """A trained model that says whom it was trained on."""

    @property
    def lineage(self) -> Lineage:
        """Everyone whom the model depends on."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Evidence:
    """What a filter may look at when its limits are set.

    Args:
        train: Real training cases; no evaluation subject may be among them.
        made: The whole synthetic cohort that will be judged; may be empty.
        seed: Seed of filters that draw.
        models: Trained models by name, such as `segmenter` or `encoder`, for filters that ask for them.
    """

    train: Cohort
    made: Cohort
    seed: int = 0
    models: Mapping[str, Model] = field(default_factory=dict)

    def real(self) -> Iterator[Case]:
        """Read the training cases one by one in the form of the made ones: as slices where these are slices.

        Raises:
            GeometryError: The made slices lie in another orientation.
        """
        return cases_like(self.train, self.made)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts that every training case has and, where cases were made, every one of these."""
        made = self.made.modalities if len(self.made) else self.train.modalities
        return tuple(modality for modality in self.train.modalities if modality in made)

    def require_subjects(self, least: int, kind: str) -> None:
        """Refuse fewer training subjects than a filter needs.

        Args:
            least: Number of subjects.
            kind: Of the filter, for the message.

        Raises:
            CohortError: Says how many there are.
        """
        count = len(self.train.subject_ids)
        if count < least:
            raise CohortError(
                f"{count} training subjects for filter {kind!r}",
                f"at least {least}",
                "leave the filter out, or train on more subjects",
                self.train.name,
            )

    def model(self, name: str, kind: str) -> Any:  # noqa: ANN401 - each filter knows what it asks for
        """Return the model that a filter asks for.

        Args:
            name: Of the model.
            kind: Of the filter, for the message.

        Raises:
            SpecError: No such model was given.
        """
        if name not in self.models:
            given = ", ".join(self.models) or "none"
            raise SpecError(
                f"filter {kind!r} with models: {given}", f"a trained {name}", "give it, or leave it out", kind
            )
        return self.models[name]

    def subjects(self, *models: str, made: bool = False) -> tuple[str, ...]:
        """Everyone behind a filter's limits: training subjects, and those behind what else it looked at, sorted.

        Args:
            models: Names of the models that it asked for.
            made: Whether it looked at the synthetic cohort.
        """
        behind = set(self.train.subjects_behind) | (set(self.made.lineage.subjects) if made else set())
        return tuple(sorted(behind.union(*(self.models[name].lineage.subjects for name in models))))


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


def folds_of(owners: Sequence[str], most: int = 10) -> Iterator[Bool[np.ndarray, "case"]]:
    """Yield which cases are held out, fold by fold, so that no subject is on both sides; each case is held out once.

    Args:
        owners: Subject of each case.
        most: Number of folds where there are as many subjects.

    Example:
        >>> [fold.tolist() for fold in folds_of(["a", "b", "a"])]
        [[True, False, True], [False, True, False]]
    """
    numbers = np.unique(owners, return_inverse=True)[1]
    folds = min(most, int(numbers.max()) + 1)
    for fold in range(folds):
        yield numbers % folds == fold


def calibrated_limit(scores: Float[np.ndarray, "case"], refused_share: float) -> float:
    """Limit that refuses about this share of unseen real cases.

    The rank is the conformal one, `ceil((n + 1)(1 - share))`, which keeps its
    promise for any distribution of scores.  Where n real cases cannot resolve so
    small a share (n + 1 < 1 / share), the largest real score is the limit.

    Args:
        scores: Scores of real cases, each judged by limits without its own subject; not empty.
        refused_share: Share of real cases that may be refused, in (0, 1).

    Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005), chapter 2.

    Example:
        >>> calibrated_limit(np.arange(99.0), 0.05)
        94.0
        >>> calibrated_limit(np.array([1.0, 3.0]), 0.05)
        3.0
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    rank = int(np.ceil((len(ordered) + 1) * (1 - refused_share)))
    return float(ordered[min(rank, len(ordered)) - 1])


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
