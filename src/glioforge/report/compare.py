"""From the long results table to numbers a subject, and arms compared on the same subjects.

Conventions
-----------
scores       `(subject, seed)`: mean over the cases and folds of a subject
             under a seed; NaN where it was not measured
differences  arm minus baseline for the same subject and seed, turned so that
             positive is better for every metric
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, final

import numpy as np
from jaxtyping import Float64

from glioforge.core.errors import CohortError
from glioforge.io.tables import ResultRow
from glioforge.metrics.base import Direction
from glioforge.metrics.diversity import DIVERSITY
from glioforge.metrics.evaluate import METRICS
from glioforge.metrics.inference import Comparison, compare, holm
from glioforge.metrics.intervals import subject_means
from glioforge.metrics.patch_distance import PATCHES
from glioforge.metrics.similarity import SIMILARITY
from glioforge.metrics.texture import STREAKS, TEXTURE


@final
@dataclass(frozen=True)
class ShownMetric:
    """What a report has to know of a metric.

    Args:
        title: Name in headings.
        unit: `1` for shares.
        direction: Which values are good.
    """

    title: str
    unit: str = "1"
    direction: Direction = Direction.HIGHER

    @property
    def is_share(self) -> bool:
        """Whether the value has no unit."""
        return self.unit in ("", "1")

    @property
    def heading(self) -> str:
        """Title with the unit, if it has one."""
        return self.title if self.is_share else f"{self.title}, {self.unit}"


_OF_IMAGES: Final[Mapping[str, ShownMetric]] = MappingProxyType(
    {
        **{m.name: ShownMetric(m.title, m.unit, m.direction) for m in (*SIMILARITY, *TEXTURE, *STREAKS, *PATCHES)},
        **{m.name: ShownMetric(m.title, m.unit, m.direction) for m in DIVERSITY},
    }
)
"""Every metric of images, by name."""


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
@dataclass(frozen=True)
class ArmComparison:
    """An arm against the baseline in one region.

    Args:
        arm: Name of the arm.
        region: Region.
        comparison: The numbers; positive differences are better.
        p_holm: p corrected over all arms and regions compared together.
        left_out: Subjects without a common seed in both arms, who are not compared.
    """

    arm: str
    region: str
    comparison: Comparison
    p_holm: float
    left_out: tuple[str, ...] = ()


def metric_shown(name: str) -> ShownMetric:
    """Title, unit and direction of a metric of masks or images; another one is a share of which more is better."""
    known = METRICS.get(name)
    return ShownMetric(known.title, known.unit, known.direction) if known else _OF_IMAGES.get(name, ShownMetric(name))


def goodness(metric: str, values: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Values turned so that more is better: themselves, their negative, or minus their distance from the ideal."""
    direction = metric_shown(metric).direction
    if direction is Direction.ONE:
        return -np.abs(values - 1)
    if direction is Direction.ZERO:
        return -np.abs(values)
    return -values if direction is Direction.LOWER else values


def scores_of(rows: Iterable[ResultRow], arm: str, region: str, metric: str) -> Scores:
    """Gather one metric of an arm and region; no rows give no subjects.

    A subject's cases and folds are averaged under each seed, so that a subject
    with several sessions counts once.  Rows without a number are passed over:
    a subject that has no other is missing, and named where arms are compared.
    """
    cells: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        if (row.arm, row.region, row.metric) == (arm, region, metric) and np.isfinite(row.value):
            cells[row.subject_id, row.seed].append(row.value)
    subjects = sorted({subject for subject, _ in cells})
    seeds = sorted({seed for _, seed in cells})
    values = np.full((len(subjects), len(seeds)), np.nan)
    for (subject, seed), found in cells.items():
        values[subjects.index(subject), seeds.index(seed)] = np.mean(found)
    return Scores(tuple(subjects), tuple(seeds), values)


def paired(arm: Scores, baseline: Scores, metric: str) -> tuple[Scores, tuple[str, ...]]:
    """Differences on subjects and seeds that both arms have, and the subjects left out.

    Returns:
        Positive where the arm is better; no subjects where nothing is common.
    """
    seeds = tuple(sorted(set(arm.seeds) & set(baseline.seeds)))
    everyone = sorted(set(arm.subjects) | set(baseline.subjects))
    ours, theirs = (goodness(metric, _laid_out(scores, everyone, seeds)) for scores in (arm, baseline))
    differences = ours - theirs
    kept = np.isfinite(differences).any(axis=1)
    subjects = tuple(name for name, keep in zip(everyone, kept, strict=True) if keep)
    left_out = tuple(name for name, keep in zip(everyone, kept, strict=True) if not keep)
    return Scores(subjects, seeds, differences[kept]), left_out


def compare_arms(
    rows: Sequence[ResultRow], arms: Mapping[str, str], regions: Sequence[str], metric: str = "dice", *, seed: int = 0
) -> tuple[ArmComparison, ...]:
    """Compare every arm with the first one in every region, with Holm's correction over all of them.

    Args:
        rows: Results.
        arms: Title of each arm by its name; the first is the baseline.
        regions: Regions to compare in.
        metric: The one metric decided on beforehand.
        seed: Of intervals and tests.

    Returns:
        Arms innermost; empty for fewer than two arms.

    Raises:
        CohortError: There is no arm.
    """
    if not arms:
        raise CohortError("no arms to compare", "a baseline and at least one other arm")
    baseline, *others = arms
    found: list[ArmComparison] = []
    for region in regions:
        reference = scores_of(rows, baseline, region, metric)
        for arm in others:
            differences, left_out = paired(scores_of(rows, arm, region, metric), reference, metric)
            comparison = compare(differences.values, differences.subjects, seed=seed)
            found.append(ArmComparison(arm, region, comparison, float("nan"), left_out))
    corrected = holm(np.array([entry.comparison.p for entry in found], dtype=np.float64))
    return tuple(replace(entry, p_holm=float(p)) for entry, p in zip(found, corrected, strict=True))


def with_mean_region(rows: Iterable[ResultRow], regions: Sequence[str], name: str = "mean") -> list[ResultRow]:
    """Rows and, for each case and metric that has all these regions, a row with their mean.

    The mean over regions is one endpoint and needs no correction over regions.
    """
    given = list(rows)
    groups: defaultdict[tuple[object, ...], dict[str, ResultRow]] = defaultdict(dict)
    for row in given:
        if row.region in regions:
            groups[row.study, row.arm, row.fold, row.seed, row.case_id, row.metric][row.region] = row
    means = [
        replace(found[regions[0]], region=name, value=float(np.mean([row.value for row in found.values()])), note="")
        for found in groups.values()
        if found and len(found) == len(regions)
    ]
    return given + means


def _laid_out(scores: Scores, subjects: Sequence[str], seeds: Sequence[int]) -> Float64[np.ndarray, "subject seed"]:
    """Values in a given order of subjects and seeds; NaN where not measured."""
    laid = np.full((len(subjects), len(seeds)), np.nan)
    rows = [subjects.index(subject) for subject in scores.subjects]
    columns = [scores.seeds.index(seed) for seed in seeds]
    laid[rows] = scores.values[:, columns]
    return laid
