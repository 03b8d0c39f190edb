"""Label maps that no real case resembles in topology, sizes or places, a filter of Glioforge's own.

`quality.label_measures` gives some thirty numbers of a map: pieces and holes, specks,
contacts of classes, shares of classes, size, place and symmetry of the brain.  A
number's deviation is counted in standard deviations over real cases; the score is
the largest, and its limit is set on real cases of subjects who were left out.
Foroozandeh & Eklund (2020) found that their z-score filter keeps blurred masks;
specks and false contacts between classes, as rounding an ordinal scale makes them,
are what marks these.

Slices are judged against slices, and volumes against volumes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from glioforge.core import Case, LabelScheme, Verdict
from glioforge.quality import FILTERS, Evidence, FilterSpec, Measure
from glioforge.quality.label_measures import label_measures

Table = Float64[np.ndarray, "case measure"]
Row = Float64[np.ndarray, "measure"]


class PlausibleLabelsSpec(FilterSpec):
    """Settings of the filter on label maps."""

    kind: Literal["plausible_labels"] = "plausible_labels"
    refused_share: float = Field(0.05, gt=0, lt=1)
    """Share of real cases of unseen subjects that may be refused."""
    tolerance: float = Field(1.0, gt=0)
    """Multiplies the least spread that is believed of each measure; larger forgives more where real cases are few."""


@FILTERS.register(PlausibleLabelsSpec)
@final
@dataclass(frozen=True, eq=False)
class PlausibleLabels:
    """Centre and spread of each measure over real cases, and the limit.

    Args:
        spec: Settings.
        subjects: Subjects behind the numbers.
        scheme: Scheme in which maps are read.
        names: What messages call the measures.
        centre: Mean of each over real cases.
        spread: Standard deviation of each, not below its floor.
        limit: Largest deviation that passes.
    """

    spec: PlausibleLabelsSpec
    subjects: tuple[str, ...]
    scheme: LabelScheme
    names: tuple[str, ...]
    centre: Row
    spread: Row
    limit: float

    @classmethod
    def fit(cls, spec: PlausibleLabelsSpec, evidence: Evidence) -> "PlausibleLabels":
        """Measure all training cases and set the limit.

        Raises:
            CohortError: There are fewer than three subjects.
        """
        evidence.require_subjects(3, spec.kind)
        scheme = evidence.train.scheme
        measured, owners = zip(
            *((label_measures(case, scheme), case.subject_id) for case in evidence.real()), strict=True
        )
        names = tuple(measure.name for measure in measured[0])
        floors = spec.tolerance * np.array([measure.floor for measure in measured[0]])
        table = np.array([[measure.value for measure in row] for row in measured])
        signs = _signs(measured[0])
        scores = np.empty(len(table))
        for held_out in evidence.folds(owners):
            centre, spread = _moments(table[~held_out], floors)
            scores[held_out] = _deviations(table[held_out], centre, spread, signs).max(axis=1)
        centre, spread = _moments(table, floors)
        limit = evidence.limit(scores, spec.refused_share)
        return cls(spec, evidence.subjects(), scheme, names, centre, spread, limit)

    def assess(self, case: Case) -> Verdict:
        """Find the measures that deviate most.

        Raises:
            CaseError: The case has no label map.
            LabelError: Its labels cannot be read in the training cases' scheme.
        """
        measures = label_measures(case, self.scheme)
        if not case.require_labels().foreground.any():
            return Verdict(False, float("inf"), "the label map is empty")
        if tuple(m.name for m in measures) != self.names:
            return Verdict(False, float("inf"), "the label map is a slice in another plane than the real cases")
        values = np.array([measure.value for measure in measures])
        deviations = _deviations(values[None], self.centre, self.spread, _signs(measures))[0]
        score = float(deviations.max())
        if score <= self.limit:
            return Verdict(True, score, f"{self._told(values, deviations, 1)}; within the limit of {self.limit:.1f}")
        worst = min(3, int((deviations > self.limit).sum()))
        return Verdict(False, score, f"{self._told(values, deviations, worst)}; beyond the limit of {self.limit:.1f}")

    def _told(self, values: Row, deviations: Row, count: int) -> str:
        """The measures that deviate most, with what real cases have."""
        return ", ".join(
            f"{self.names[n]} {values[n]:.3g}, real {self.centre[n]:.3g} +- {self.spread[n]:.2g} "
            f"(z {deviations[n]:.1f})"
            for n in np.argsort(-deviations, kind="stable")[:count]
        )


def _signs(measures: Sequence[Measure]) -> np.ndarray:
    """Whether both sides are wrong, for each measure."""
    return np.array([measure.side == "both" for measure in measures])


def _moments(table: Table, floors: Row) -> tuple[Row, Row]:
    """Mean and standard deviation of each measure, the latter widened for its own uncertainty."""
    spread = np.maximum(table.std(axis=0, ddof=1), floors)
    return table.mean(axis=0), spread * np.sqrt(1 + 1 / len(table))


def _deviations(table: Table, centre: Row, spread: Row, both: np.ndarray) -> Table:
    """Deviations in standard deviations; those to the good side are 0."""
    z = (table - centre) / spread
    return np.where(both, np.abs(z), np.maximum(z, 0))
