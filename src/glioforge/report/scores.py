"""From the long results table to scores by subject and seed, walked once and kept by arm, region and metric.

Conventions
-----------
scores  `(subject, seed)`: mean over the cases and folds of a subject under a
        seed; NaN where it was not measured
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal, final

import numpy as np
from jaxtyping import Float64

from glioforge.core import Modality, in_standard_order
from glioforge.io import MEAN_OF_DRAWS, NOISE_FREE, ONE_DRAW, SCAN, ResultRow
from glioforge.metrics import Level, metric_named
from glioforge.statistics import Interval, estimate_by_seed, is_resample, resampled_interval, subject_means

Noun = Literal["subject", "phantom"]
TRUTHS: Final[Mapping[str, str]] = MappingProxyType(
    {SCAN: "against the scan, noise and all", NOISE_FREE: "against the phantom without noise and bias field"}
)
"""What images are compared with, in words."""
MEAN: Final = "mean"
"""Region that stands for the mean over several."""
EMPTY: Final = ("both empty", "prediction empty", "truth empty")
"""Values of the column `empty` of scores that follow the policy for empty masks."""


@final
@dataclass(frozen=True, eq=False)
class Scores:
    """One metric in one region under one arm.

    Args:
        subjects: Rows, sorted.
        seeds: Columns, sorted.
        values: `(subject, seed)`; NaN where not measured.
    """

    subjects: tuple[str, ...]
    seeds: tuple[int, ...]
    values: Float64[np.ndarray, "subject seed"]

    def by_subject(self) -> dict[str, float]:
        """Mean over seeds of each subject."""
        return dict(zip(self.subjects, subject_means(self.values).tolist(), strict=True))


@final
class ResultTable:
    """Rows of a results table by arm, region and metric.

    Args:
        rows: Any rows; none give no scores.
        noun: What a subject is called in tables and sentences.
        seed: Of bootstrap intervals.
    """

    def __init__(self, rows: Iterable[ResultRow], *, noun: Noun = "subject", seed: int = 0) -> None:
        self.rows = tuple(rows)
        self.noun: Noun = noun
        self.seed = seed
        self._kept: dict[tuple[str, str, str], Scores] = {}
        self._found: defaultdict[tuple[str, str, str], list[ResultRow]] = defaultdict(list)
        for row in self.rows:
            self._found[row.arm, row.place, row.metric].append(row)

    def of(self, arm: str, region: str, metric: str) -> Sequence[ResultRow]:
        """Rows of one metric of an arm and region; empty for none."""
        return self._found.get((arm, region, metric), ())

    def scores(self, arm: str, region: str, metric: str) -> Scores:
        """Gather one metric of an arm and region; no rows give no subjects.

        A subject's cases and folds are averaged under each seed, so that a subject
        with several sessions counts once.  Rows without a number are passed over:
        a subject that has no other is missing, and named where arms are compared.
        """
        key = (arm, region, metric)
        if key not in self._kept:
            self._kept[key] = _gathered(self.of(*key))
        return self._kept[key]

    def interval(self, arm: str, region: str, metric: str) -> Interval:
        """Return the mean over subjects with its 95 % interval; of a metric of cohorts, the number itself.

        Raises:
            MetricError: The metric is not registered.
        """
        if metric_named(metric).level is Level.COHORT:
            return resampled_interval(self.samples(arm, region, metric), len(self.subjects()))
        return estimate_by_seed(self.scores(arm, region, metric).values, seed=self.seed).interval()

    def samples(self, arm: str, region: str, metric: str) -> dict[str, float]:
        """Return a number of whole cohorts, and those of resamples by their names, each a mean over folds and seeds."""
        found: defaultdict[str, list[float]] = defaultdict(list)
        for row in self.of(arm, region, metric):
            if not row.sample or is_resample(row.sample):
                found[row.sample].append(row.value)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def arms(self) -> tuple[str, ...]:
        """Names of the arms that have rows, in their order."""
        return tuple(dict.fromkeys(arm for arm, _, _ in self._found))

    def subjects(self) -> frozenset[str]:
        """Ids of all subjects."""
        return frozenset(row.subject_id for row in self.rows if row.subject_id)

    def contrasts(self) -> tuple[Modality, ...]:
        """Contrasts that images were measured in, in standard order."""
        return in_standard_order({Modality(row.contrast) for row in self.rows if row.contrast})

    def chosen(self, rows: Iterable[ResultRow]) -> "ResultTable":
        """Return other rows under the same noun and seed."""
        return ResultTable(rows, noun=self.noun, seed=self.seed)

    def with_mean(self, regions: Sequence[str], name: str = MEAN) -> "ResultTable":
        """Return all rows and, for each case and metric that has all these regions, a row with their mean.

        The mean over regions is one endpoint and needs no correction over regions.
        """
        groups: defaultdict[tuple[object, ...], dict[str, ResultRow]] = defaultdict(dict)
        for (arm, region, metric), rows in self._found.items():
            if region in regions:
                for row in rows:
                    measured = (metric, row.reference, row.sample, row.grid, row.draw, row.generator_seed)
                    groups[row.study, arm, row.fold, row.seed, row.case_id, *measured][region] = row
        means = [
            replace(
                found[regions[0]],
                region=name,
                contrast="",
                value=float(np.mean([r.value for r in found.values()])),
                empty="",
            )
            for found in groups.values()
            if len(found) == len(regions)
        ]
        return self.chosen((*self.rows, *means))

    def over_contrasts(self, *, sample: str | None = None, reference: str | None = None) -> "ResultTable":
        """Return rows of a sample and reference, and their means over contrasts as `brain` and `lesion`; none is any.

        A method that makes fewer contrasts than others has no such mean: it would be one of other images.
        """
        found = self.chosen(
            row for row in self.rows if sample in (None, row.sample) and reference in (None, row.reference)
        )
        contrasts = found.contrasts()
        for place in ("brain", "lesion"):
            found = found.with_mean([f"{place}/{contrast}" for contrast in contrasts], place)
        return found

    def drawn(self) -> tuple["ResultTable", "ResultTable"]:
        """Return the results of the mean of draws and of one draw, each with its means over contrasts."""
        return self.over_contrasts(sample=MEAN_OF_DRAWS), self.over_contrasts(sample=ONE_DRAW)


@final
@dataclass(frozen=True)
class Endpoint:
    """One number of each arm, as a column or a comparison.

    Args:
        metric: Name of the metric.
        region: Region, or the name of a mean over some.
        results: ResultTable to read it from.
        heading: Title of the column; the metric's unless given.
        interval: Whether its interval is shown.
    """

    metric: str
    region: str
    results: ResultTable
    heading: str = ""
    interval: bool = True

    @property
    def title(self) -> str:
        """Title of the column."""
        return self.heading or metric_named(self.metric).heading

    def of(self, arm: str) -> Interval:
        """Mean over subjects of an arm, with its interval."""
        return self.results.interval(arm, self.region, self.metric)


@final
@dataclass(frozen=True)
class Spread:
    """One metric in one region over all subjects.

    Args:
        region: Region.
        metric: Name of the metric.
        mean: Mean over subjects with its interval.
        quartiles: 25th, 50th and 75th percentile over subjects.
        cases: Cases evaluated.
        empty: Cases whose score follows the policy for empty masks: both, prediction alone, truth alone.
    """

    region: str
    metric: str
    mean: Interval
    quartiles: tuple[float, float, float]
    cases: int
    empty: tuple[int, int, int]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; null where there is no number."""
        mean = interval_json(self.mean)
        return {
            "region": self.region,
            "metric": self.metric,
            "unit": metric_named(self.metric).unit,
            **mean,
            **dict(zip(("q1", "median", "q3"), self.quartiles, strict=True)),
            "cases": self.cases,
            **{note.replace(" ", "_"): count for note, count in zip(EMPTY, self.empty, strict=True)},
        }


def spreads(results: ResultTable, arm: str, regions: Sequence[str]) -> tuple[Spread, ...]:
    """Return the spread of every metric of an arm, regions outermost; what has no scores is left out."""
    metrics = dict.fromkeys(row.metric for row in results.rows if row.arm == arm)
    found = []
    for region, metric in ((region, metric) for region in regions for metric in metrics):
        values = results.scores(arm, region, metric).values
        if len(values):
            q1, median, q3 = (float(q) for q in np.quantile(subject_means(values), (0.25, 0.5, 0.75)))
            rows = results.of(arm, region, metric)
            notes = Counter(row.empty for row in rows)
            empty = (notes[EMPTY[0]], notes[EMPTY[1]], notes[EMPTY[2]])
            mean = results.interval(arm, region, metric)
            found.append(Spread(region, metric, mean, (q1, median, q3), len(rows), empty))
    return tuple(found)


def interval_json(interval: Interval) -> dict[str, Any]:
    """Return mean, ends and number of subjects as plain values; null where there is no number."""
    numbers = {"mean": interval.estimate, "low": interval.low, "high": interval.high}
    return {**{key: finite_or_none(value) for key, value in numbers.items()}, "subjects": interval.count}


def finite_or_none(value: float) -> float | None:
    """Return the number, or none where it is not one."""
    return float(value) if np.isfinite(value) else None


def _gathered(rows: Iterable[ResultRow]) -> Scores:
    """Mean over the finite values of each subject and seed; numbers of whole cohorts have no subject."""
    cells: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        if row.subject_id and np.isfinite(row.value):
            cells[row.subject_id, row.seed].append(row.value)
    subjects = sorted({subject for subject, _ in cells})
    seeds = sorted({seed for _, seed in cells})
    values = np.full((len(subjects), len(seeds)), np.nan)
    for (subject, seed), found in cells.items():
        values[subjects.index(subject), seeds.index(seed)] = np.mean(found)
    return Scores(tuple(subjects), tuple(seeds), values)
