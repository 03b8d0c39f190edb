"""Intensities of each class against those of real training cases.

For every class and contrast the mean and the spread within the class are
compared with the same numbers of real cases.  A case's score is its largest
deviation in standard deviations over real cases; the limit is set on real
cases judged without their own subject.  A generator that paints oedema dark,
or every white matter flat, is reported by the name of the class.

Source: the outlier test by class statistics is the z-score filter of
Foroozandeh & Eklund (2020) moved from pixels of label maps to intensities of
classes, where the spread is never zero by construction.
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from glioforge.core import Case, LabelScheme, Modality, Verdict
from glioforge.quality import FILTERS, Evidence, FilterSpec

Measures = Float64[np.ndarray, "contrast class measure"]
Table = Float64[np.ndarray, "case contrast class measure"]

Measure = Literal["mean", "spread"]
_TOLD = {"mean": "mean", "spread": "log of the spread"}


class ClassStatisticsSpec(FilterSpec):
    """Settings of the filter on intensities of classes."""

    kind: Literal["class_statistics"] = "class_statistics"
    measures: tuple[Measure, ...] = Field(("mean", "spread"), min_length=1)
    """What is compared; leave `spread` out where a generator is known to paint smoothly and may."""
    refused_share: float = Field(0.05, gt=0, lt=1)
    """Share of real cases of unseen subjects that may be refused."""
    least_voxels: int = Field(20, ge=2)
    """A class with fewer voxels in a case is not judged there."""
    least_spread: float = Field(0.05, gt=0)
    """Floor of the standard deviation over real cases, in units of the normalised intensity."""


@FILTERS.register(ClassStatisticsSpec)
@final
@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Real cases' class intensities and the limit of deviation.

    Args:
        spec: Settings.
        subjects: Subjects behind the numbers.
        scheme: Scheme whose classes were measured.
        modalities: Contrasts measured.
        centre: Mean over real cases; NaN where fewer than three subjects' cases have the class.
        spread: Standard deviation over real cases, widened for its own uncertainty.
        limit: Largest deviation that passes.
    """

    spec: ClassStatisticsSpec
    subjects: tuple[str, ...]
    scheme: LabelScheme
    modalities: tuple[Modality, ...]
    centre: Measures
    spread: Measures
    limit: float

    @classmethod
    def fit(cls, spec: ClassStatisticsSpec, evidence: Evidence) -> "ClassStatistics":
        """Measure the classes of all training cases and set the limit.

        Raises:
            CohortError: Fewer than four subjects: without one, three are needed for a spread.
        """
        train = evidence.train
        evidence.require_subjects(4, spec.kind)
        modalities = evidence.modalities
        measured = [(_measure(case, modalities, train.scheme, spec), case.subject_id) for case in evidence.real()]
        table = np.stack([row for row, _ in measured])
        owners = np.unique([subject for _, subject in measured], return_inverse=True)[1]
        centre, spread = _moments(table, spec.least_spread)
        others = [_moments(table[owners != owner], spec.least_spread) for owner in range(owners.max() + 1)]
        scores = np.array([_worst(row, *others[owner])[1] for row, owner in zip(table, owners, strict=True)])
        limit = evidence.limit(scores, spec.refused_share)
        return cls(spec, evidence.subjects(), train.scheme, modalities, centre, spread, limit)

    def assess(self, case: Case) -> Verdict:
        """Find the class and contrast that deviate most.

        Raises:
            CaseError: The case lacks labels or a contrast of the training cases.
            LabelError: Its labels cannot be read in the training cases' scheme.
        """
        measured = _measure(case, self.modalities, self.scheme, self.spec)
        place, score = _worst(measured, self.centre, self.spread)
        if place is None:
            return Verdict(False, float("inf"), f"no class has the {self.spec.least_voxels} voxels needed to judge it")
        keep = score <= self.limit
        relation = "within" if keep else "beyond"
        return Verdict(keep, score, f"{self._told(place, measured)}; {relation} the limit of {self.limit:.1f}")

    def _told(self, place: tuple[int, ...], measured: Measures) -> str:
        """Name the class, contrast and numbers of a deviation."""
        contrast, label, measure = place
        names = [name for name in self.scheme.labels if name != "background"]
        value, centre, spread = measured[place], self.centre[place], self.spread[place]
        told = _TOLD[self.spec.measures[measure]]
        return (
            f"{names[label]} in {self.modalities[contrast].title} deviates most: {told} {value:.2f}, "
            f"real {centre:.2f} +- {spread:.2f} (z {(value - centre) / spread:+.1f})"
        )


def _measure(case: Case, modalities: tuple[Modality, ...], scheme: LabelScheme, spec: ClassStatisticsSpec) -> Measures:
    """Mean, log standard deviation or both of each class and contrast; NaN for small classes."""
    labels = case.require_labels().to(scheme).voxels.ravel()
    images = case.stack(modalities).reshape(len(modalities), -1).astype(np.float64)
    values = [value for name, value in scheme.labels.items() if name != "background"]
    counts = np.bincount(labels, minlength=256)[values]
    sums = np.stack([np.bincount(labels, image, 256)[values] for image in images])
    squares = np.stack([np.bincount(labels, image**2, 256)[values] for image in images])
    divisor = np.where(counts >= spec.least_voxels, counts, np.nan)
    means = sums / divisor
    deviations = np.sqrt(np.maximum(squares / divisor - means**2, 0))
    measured = {"mean": means, "spread": np.log(deviations + 0.01)}
    return np.stack([measured[name] for name in spec.measures], axis=-1)


def _moments(table: Table, least_spread: float) -> tuple[Measures, Measures]:
    """Centre and spread over cases; NaN where fewer than three cases have the class."""
    present = np.isfinite(table)
    count = present.sum(axis=0)
    enough = np.where(count >= 3, count, np.nan)
    filled = np.where(present, table, 0.0)
    centre = filled.sum(axis=0) / enough
    variance = np.where(present, (filled - centre) ** 2, 0.0).sum(axis=0) / (enough - 1)
    return centre, np.maximum(np.sqrt(variance), least_spread) * np.sqrt(1 + 1 / enough)


def _worst(measured: Measures, centre: Measures, spread: Measures) -> tuple[tuple[int, ...] | None, float]:
    """Place and size of the largest deviation; no place where nothing can be judged."""
    deviation = np.abs(measured - centre) / spread
    if not np.isfinite(deviation).any():
        return None, 0.0
    place = np.unravel_index(int(np.nanargmax(deviation)), deviation.shape)
    return tuple(int(n) for n in place), float(deviation[place])
