"""The family of quality filters: fitted on real training cases, then asked about synthetic ones.

A filter is a part of the training data's history, because its limits come
from real subjects: `subjects` names them, and they join the lineage of every
case that the filter lets through.

Conventions
-----------
score    higher is worse; a case is kept while its score is at most the limit
limit    set from real training cases, so that a stated share of real cases
         of unseen subjects would be refused
"""

from typing import Annotated, Any, Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Float
from pydantic import BeforeValidator, SerializeAsAny

from glioforge.config.registry import Registry
from glioforge.config.spec import Spec
from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.protocols import Verdict


class FilterSpec(Spec):
    """Base of the settings of a filter; a filter's own spec adds `kind`."""


@runtime_checkable
class FittedFilter(Protocol):
    """A filter with its limits; made by `fit`, told apart by `kind`."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects that the limits were set from, sorted."""
        ...

    @classmethod
    def fit(cls, spec: Any, train: Cohort, *, seed: int) -> Self:  # noqa: ANN401 - each filter takes its own spec
        """Set the limits from real training cases.

        Raises:
            CohortError: There are too few cases to set a limit from.
        """
        ...

    def assess(self, case: Case) -> Verdict:
        """Judge a case without changing it."""
        ...


FILTERS: Registry[FittedFilter] = Registry("filter", "glioforge.quality.filters")
"""All quality filters by kind."""

AnyFilter = Annotated[SerializeAsAny[FilterSpec], BeforeValidator(FILTERS.parse)]
"""A filter's settings, told by `kind`, as a field of another spec."""


def fit_filter(spec: Spec, train: Cohort, *, seed: int) -> FittedFilter:
    """Fit the filter that the spec configures on real training cases.

    Raises:
        SpecError: No filter belongs to the spec.
        CohortError: There are too few cases to set a limit from.
    """
    return FILTERS.part_for(spec).fit(spec, train, seed=seed)


def require_subjects(train: Cohort, least: int, kind: str) -> None:
    """Refuse a training cohort of fewer subjects than a filter needs.

    Raises:
        CohortError: Says how many there are.
    """
    count = len(train.subject_ids)
    if count < least:
        raise CohortError(
            f"{count} training subjects for filter {kind!r}",
            f"at least {least}",
            "leave the filter out, or train on more subjects",
            train.name,
        )


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
