"""From the results table to a contrast: an arm against its reference by draw, generator, segmenter and subject.

Conventions
-----------
cell        mean over the cases and folds of a subject under one draw of training
            subjects, one seed of the generator and one of the segmenter
reference   an arm without a generator, or with one alone, stands against every
            generator of the other arm
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np

from glioforge.io import ResultRow
from glioforge.report.compare import goodness
from glioforge.report.scores import ResultTable
from glioforge.statistics import Contrast, Margins, Plan

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
