"""How scores are spread over subjects: mean, median, quartiles, and how many stand on the policy for empty masks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import Interval, bootstrap_mean, subject_means
from glioforge.report.compare import metric_shown, scores_of
from glioforge.report.page import Table
from glioforge.report.tables import number, with_interval

_EMPTY = ("both empty", "prediction empty", "truth empty")


@final
@dataclass(frozen=True)
class Spread:
    """One metric in one region over all subjects.

    Args:
        region: Region.
        metric: Name of the metric.
        mean: Mean over subjects with its interval.
        quartiles: 25th, 50th and 75th percentile over subjects.
        cases: Cases judged.
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
        plain = asdict(self.mean)
        mean = {key: finite_or_none(plain[key]) for key in ("estimate", "low", "high")}
        return {
            "region": self.region,
            "metric": self.metric,
            "unit": metric_shown(self.metric).unit,
            "mean": mean.pop("estimate"),
            **mean,
            **dict(zip(("q1", "median", "q3"), self.quartiles, strict=True)),
            "subjects": self.mean.count,
            "cases": self.cases,
            **{note.replace(" ", "_"): count for note, count in zip(_EMPTY, self.empty, strict=True)},
        }


def spreads(rows: Sequence[ResultRow], arm: str, regions: Sequence[str], *, seed: int = 0) -> tuple[Spread, ...]:
    """Spread of every metric of an arm, regions outermost; what has no rows is left out."""
    return tuple(_spreads(rows, arm, regions, seed))


def spread_table(found: Sequence[Spread]) -> Table:
    """One row a region and metric."""
    cells = tuple(
        (
            spread.region,
            metric_shown(spread.metric).heading,
            with_interval(spread.mean, metric_shown(spread.metric).unit),
            number(spread.quartiles[1], metric_shown(spread.metric).unit),
            " to ".join(number(q, metric_shown(spread.metric).unit) for q in spread.quartiles[::2]),
            str(spread.mean.count),
            str(spread.cases),
            " / ".join(map(str, spread.empty)),
        )
        for spread in found
    )
    starts = [place for place, spread in enumerate(found) if not place or found[place - 1].region != spread.region]
    caption = (
        "Over subjects, each counted once: mean with its 95 % interval, median, and the quartiles between which half "
        "of the subjects lie. Empty: cases in which truth and prediction are both empty (a true negative), the "
        "prediction alone (a miss), the truth alone (a false alarm); their scores follow the written policy."
    )
    columns = ("Region", "Metric", "Mean", "Median", "Middle half", "Subjects", "Cases", "Empty: both / pred. / truth")
    return Table(columns, cells, caption, frozenset(starts))


def _spreads(rows: Sequence[ResultRow], arm: str, regions: Sequence[str], seed: int) -> Iterator[Spread]:
    """One after the other."""
    metrics = list(dict.fromkeys(row.metric for row in rows if row.arm == arm))
    for region in regions:
        for metric in metrics:
            mine = [row for row in rows if (row.arm, row.region, row.metric) == (arm, region, metric)]
            values = scores_of(mine, arm, region, metric).values
            if len(values):
                q1, median, q3 = (float(q) for q in np.quantile(subject_means(values), (0.25, 0.5, 0.75)))
                notes = Counter(row.note for row in mine)
                empty = (notes[_EMPTY[0]], notes[_EMPTY[1]], notes[_EMPTY[2]])
                yield Spread(region, metric, bootstrap_mean(values, seed=seed), (q1, median, q3), len(mine), empty)


def finite_or_none(value: float) -> float | None:
    """The number, or none where it is not one."""
    return float(value) if np.isfinite(value) else None
