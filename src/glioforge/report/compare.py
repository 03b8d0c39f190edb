"""Arms compared with a reference on the same subjects, and the contrast of two arms from the results table.

Conventions
-----------
differences  arm minus reference for the same subject and seed, turned so that
             positive is better for every metric; of a metric with an offset,
             differences of logarithms of value + offset
cell        mean over the cases and folds of a subject under one draw of training
            subjects, one seed of the generator and one of the segmenter
reference   an arm without a generator, or with one alone, stands against every
            generator of the other arm
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from jaxtyping import Float64

from glioforge.core import CohortError, MetricError
from glioforge.io import ResultRow
from glioforge.metrics import Direction, Level, metric_named
from glioforge.report.scores import Endpoint, Noun, ResultTable, Scores
from glioforge.statistics import Comparison, Contrast, Margins, Plan, Range, compare, holm, resampled_interval


@final
@dataclass(frozen=True)
class ArmComparison:
    """An arm against the reference in one region.

    Args:
        arm: Name of the arm.
        region: Region.
        comparison: The numbers; positive differences are better.
        p_holm: p corrected over all arms and regions compared together.
        left_out: Subjects without a common seed in both arms, who are not compared.
        noun: What a subject is called.
    """

    arm: str
    region: str
    comparison: Comparison
    p_holm: float
    left_out: tuple[str, ...] = ()
    noun: Noun = "subject"


def goodness(metric: str, values: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Return values turned so that more is better: themselves, their negative, or minus their distance to the ideal.

    Of a metric with an offset, the logarithms of value + offset are turned, so that differences are those of ratios.

    Raises:
        MetricError: No value of the metric is better than another.
    """
    registered = metric_named(metric)
    direction = registered.direction
    if registered.offset is not None:
        values = np.log(values + registered.offset)
    if direction is Direction.NEITHER:
        raise MetricError(f"metric {metric!r}, of which no value is better", "a metric with a direction to compare by")
    if direction is Direction.ONE:
        return -np.abs(values - 1)
    if direction is Direction.ZERO:
        return -np.abs(values)
    return -values if direction is Direction.LOWER else values


def is_better(metric: str, ours: float, theirs: float) -> bool:
    """Whether one value of a metric is better than another."""
    return bool(np.diff(goodness(metric, np.array([theirs, ours])))[0] > 0)


def paired(arm: Scores, reference: Scores, metric: str) -> tuple[Scores, tuple[str, ...]]:
    """Return differences on subjects and seeds that both arms have, and the subjects left out.

    Returns:
        Positive where the arm is better; no subjects where nothing is common.
    """
    seeds = tuple(sorted(set(arm.seeds) & set(reference.seeds)))
    everyone = sorted(set(arm.subjects) | set(reference.subjects))
    ours, theirs = (goodness(metric, _laid_out(scores, everyone, seeds)) for scores in (arm, reference))
    differences = ours - theirs
    kept = np.isfinite(differences).any(axis=1)
    subjects = tuple(name for name, keep in zip(everyone, kept, strict=True) if keep)
    left_out = tuple(name for name, keep in zip(everyone, kept, strict=True) if not keep)
    return Scores(subjects, seeds, differences[kept]), left_out


def compare_arms(
    results: ResultTable, arms: Mapping[str, str], regions: Sequence[str], metric: str = "dice"
) -> tuple[ArmComparison, ...]:
    """Compare every arm with the first one in every region, with Holm's correction over all of them.

    Args:
        results: ResultTable.
        arms: Title of each arm by its name; the first is the reference.
        regions: Regions to compare in.
        metric: The one metric decided on beforehand.

    Returns:
        Arms innermost; empty for fewer than two arms.

    Raises:
        CohortError: There is no arm.
    """
    if not arms:
        raise CohortError("no arms to compare", "a reference and at least one other arm")
    reference, *others = arms
    found: list[ArmComparison] = []
    if metric_named(metric).level is Level.COHORT:
        return tuple(_resampled(results, arm, reference, region, metric) for region in regions for arm in others)
    for region in regions:
        theirs = results.scores(reference, region, metric)
        for arm in others:
            differences, left_out = paired(results.scores(arm, region, metric), theirs, metric)
            comparison = compare(differences.values, differences.subjects, seed=results.seed)
            found.append(ArmComparison(arm, region, comparison, float("nan"), left_out, results.noun))
    corrected = holm(np.array([entry.comparison.p for entry in found], dtype=np.float64))
    return tuple(replace(entry, p_holm=float(p)) for entry, p in zip(found, corrected, strict=True))


def _resampled(results: ResultTable, arm: str, reference: str, region: str, metric: str) -> ArmComparison:
    """Compare two numbers of whole cohorts, resample by resample: no test, and no subject is better or worse."""
    ours, theirs = (results.samples(name, region, metric) for name in (arm, reference))
    differences = {
        name: float(np.diff(goodness(metric, np.array([theirs[name], ours[name]])))[0])
        for name in ours
        if name in theirs
    }
    nothing = float("nan")
    difference = resampled_interval(differences, len(results.subjects()))
    comparison = Comparison(difference, nothing, 0, 0, Range(nothing, nothing), nothing, nothing)
    return ArmComparison(arm, region, comparison, nothing, (), results.noun)


def against(reference: str, arms: Mapping[str, str]) -> dict[str, str]:
    """Return the titles of all arms, the reference first."""
    return {reference: arms[reference], **arms}


def compare_endpoints(
    endpoints: Sequence[Endpoint], arms: Mapping[str, str], reference: str
) -> dict[str, tuple[ArmComparison, ...]]:
    """Compare all arms with a reference in every endpoint; those of one metric are corrected together."""
    groups: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        groups.setdefault(endpoint.metric, []).append(endpoint)
    return {
        metric: compare_arms(group[0].results, against(reference, arms), [e.region for e in group], metric)
        for metric, group in groups.items()
    }


def _laid_out(scores: Scores, subjects: Sequence[str], seeds: Sequence[int]) -> Float64[np.ndarray, "subject seed"]:
    """Values in a given order of subjects and seeds; NaN where not measured."""
    laid = np.full((len(subjects), len(seeds)), np.nan)
    rows = [subjects.index(subject) for subject in scores.subjects]
    columns = [scores.seeds.index(seed) for seed in seeds]
    laid[rows] = scores.values[:, columns]
    return laid


Cells = Mapping[tuple[int, int, int, str], float]


@final
@dataclass(frozen=True)
class Beforehand:
    """What a study fixed of a contrast before its results were seen.

    Args:
        primary: Whether it is the one contrast outside the family.
        margins: Margins of equivalence and non-inferiority, in the metric's unit; of logarithms for a ratio.
        plan: Spread and size.
    """

    primary: bool = False
    margins: Margins | None = None
    plan: Plan | None = None


@final
@dataclass(frozen=True)
class Compared:
    """A contrast, and who is missing from it.

    Args:
        contrast: Differences turned so that more is better.
        left_out: Subjects without a common training in both arms.
    """

    contrast: Contrast
    left_out: tuple[str, ...] = field(default=())


def contrast_of(
    results: ResultTable,
    arms: tuple[str, str],
    endpoint: tuple[str, str],
    beforehand: Beforehand = Beforehand(),
    *,
    sites: Mapping[str, str] | None = None,
) -> Compared:
    """Return the contrast of two arms in one endpoint.

    Args:
        results: The results table.
        arms: Names of the arm and of its reference.
        endpoint: Metric and region.
        beforehand: What the study fixed.
        sites: Site of each subject by name, where they are known for all.

    Returns:
        Columns for the subjects that have a training in common; none where nothing is common.

    Raises:
        MetricError: The metric is not registered, or no value of it is better than another.
    """
    metric, region = endpoint
    ours, theirs = (_cells(results.of(arm, region, metric)) for arm in arms)
    generators = sorted({generator for _, generator, _, _ in theirs})
    alone = generators[0] if len(generators) == 1 else None
    pairs = {
        key: (value, theirs.get((key[0], key[1] if alone is None else alone, *key[2:]), float("nan")))
        for key, value in ours.items()
    }
    common = {key: pair for key, pair in pairs.items() if np.isfinite(pair).all()}
    subjects = tuple(sorted({subject for *_, subject in common}))
    draws, seeds_of_generators, seeds = (sorted({key[axis] for key in common}) for axis in (0, 1, 2))
    table = np.full((len(draws) or 1, len(seeds_of_generators) or 1, len(seeds) or 1, len(subjects)), np.nan)
    for (draw, generator, seed, subject), pair in common.items():
        place = (draws.index(draw), seeds_of_generators.index(generator), seeds.index(seed), subjects.index(subject))
        table[place] = float(np.diff(goodness(metric, np.array(pair)[::-1]))[0])
    everyone = {subject for cells in (ours, theirs) for *_, subject in cells}
    places = tuple(sites[name] for name in subjects) if sites and all(name in sites for name in subjects) else ()
    folds = len({row.fold for row in results.of(arms[0], region, metric)})
    contrast = Contrast(
        name=f"{arms[0]} against {arms[1]}, {metric} {region}",
        differences=table,
        subjects=subjects,
        sites=places,
        primary=beforehand.primary,
        margins=beforehand.margins,
        plan=beforehand.plan,
        folds=folds,
    )
    return Compared(contrast, tuple(sorted(everyone - set(subjects))))


def _cells(rows: Iterable[ResultRow]) -> Cells:
    """Mean of each cell over cases and folds."""
    found: defaultdict[tuple[int, int, int, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.subject_id and np.isfinite(row.value):
            found[row.draw, row.generator_seed, row.seed, row.subject_id].append(row.value)
    return {key: float(np.mean(values)) for key, values in found.items()}
