"""All numbers about two cohorts that descriptions of their cases give, each with floor, interval and identities.

Conventions
-----------
table       synthetic cases first, then real ones
features    spaces that `kid`, `frechet` and the neighbourhoods are computed in; entries are standardised by mean and
            standard deviation over all real cases, and entries that are constant there are left out; beyond `TAME`
            standard deviations they grow as the logarithm, lest one entry that hardly varies in scans outweighs all
traits      spaces of few named entries, standardised alike, compared by transport
patches     descriptors of each case and level; channels are standardised over each source (as PGAN does)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float32, Float64

from glioforge.core import MetricError, stream
from glioforge.metrics.cohort.distances import frechet_distance, kernel_distance, manifold, transport_distance
from glioforge.metrics.cohort.halves import Distance, Halves, Number, Places, measured
from glioforge.metrics.cohort.pyramid import directions, normalised, sliced_distance
from glioforge.metrics.cohort.variety import mean_of_pairs

PROJECTIONS: Final = 128
"""Random directions of the sliced Wasserstein distance."""
TAME: Final = 3.0
"""Standard deviations beyond which features grow as the logarithm."""
_SLACK: Final = 1e-6

Rows = Float64[np.ndarray, "_ _"]
Levels = Sequence[Float32[np.ndarray, "_ _ _ _"]]
"""Descriptors `(case, patch, channel, 49)` of each level, finest first."""


@final
@dataclass(frozen=True, eq=False)
class Table:
    """Descriptions of all cases.

    Args:
        made: Number of synthetic cases, which come first.
        features: Spaces of many features.
        traits: Spaces of few named entries.
        patches: Descriptors by the name of what they were cut from.
        likeness: MS-SSIM of every two cases; only pairs of one source are used; none leaves variety out.
    """

    made: int
    features: Mapping[str, Rows] = field(default_factory=dict)
    traits: Mapping[str, Rows] = field(default_factory=dict)
    patches: Mapping[str, Levels] = field(default_factory=dict)
    likeness: Rows | None = None

    def standardised(self, rows: Rows) -> Rows:
        """Entries in standard deviations over real cases, without those that are constant there."""
        real = rows[self.made :]
        spread = real.std(axis=0)
        kept = spread > _SLACK * np.maximum(1.0, np.abs(real.mean(axis=0)))
        scaled: Rows = (rows[:, kept] - real[:, kept].mean(axis=0)) / spread[kept]
        return scaled


@final
@dataclass(frozen=True)
class Measured:
    """One number with what it is about.

    Args:
        space: What was compared: `radiomics`, `patches`, `lesion`.
        metric: Name in the register of metrics.
        number: Its value, floor and intervals.
        level: Level of a pyramid, 0 the finest; -1 for none.
    """

    space: str
    metric: str
    number: Number
    level: int = -1

    @property
    def name(self) -> str:
        """Space, metric and level as one word, unique among the numbers of two cohorts."""
        return f"{self.space}/{self.metric}{f'/{self.level}' if self.level >= 0 else ''}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"name": self.name, "space": self.space, "metric": self.metric, "level": self.level} | vars(self.number)


def tamed(rows: Rows) -> Rows:
    """Entries that grow as the logarithm beyond `TAME`; monotonic, and as they are within.

    Example:
        >>> tamed(np.array([[2.0, -3.0, 3.0 + np.e - 1]])).round(3).tolist()
        [[2.0, -3.0, 4.0]]
    """
    beyond = np.maximum(np.abs(rows) - TAME, 0.0)
    scaled: Rows = np.sign(rows) * (np.minimum(np.abs(rows), TAME) + np.log1p(beyond))
    return scaled


def measure(table: Table, drawn: Sequence[Halves], *, seed: int = 1) -> tuple[Measured, ...]:
    """Compute every number on every draw.

    Args:
        table: Descriptions of all cases.
        drawn: From `metrics.cohort.halves`.
        seed: Of the random directions.

    Raises:
        MetricError: A number breaks an identity: a set has a distance from itself, or order matters.
    """
    found = []
    for space, metric, level, distance in distances(table, seed=seed):
        require_distance(distance, metric, drawn[0], f"{space} {metric}")
        found.append(Measured(space, metric, measured(distance, drawn), level))
    return tuple(found)


def distances(table: Table, *, seed: int = 1) -> Iterator[tuple[str, str, int, Distance]]:
    """Space, metric, level (-1 for none) and function of every number that the table allows."""
    for space, levels in table.patches.items():
        for level, patches in enumerate(levels):
            yield space, "sliced_wasserstein", level, _sliced(table.made, patches, seed + level)
    for space, rows in table.features.items():
        for metric, compare in _COMPARED.items():
            yield space, metric, -1, _between(tamed(table.standardised(rows)), compare)
    for space, rows in table.traits.items():
        scaled = table.standardised(rows)
        if scaled.shape[1]:
            yield space, "transport", -1, _between(scaled, transport_distance)
    if table.likeness is not None:
        yield "variety", "ms_ssim_gap", -1, _variety(table.likeness)


def require_distance(distance: Distance, metric: str, draw: Halves, where: str) -> None:
    """Check identities on the sets of one draw.

    Distances are 0 between a set and itself and don't depend on order; precision and
    recall of a set and itself are 1 and change places when the sets do.

    Raises:
        MetricError: Names the number and the identity.
    """
    own, forth = distance(draw.real, draw.real), distance(draw.made, draw.real)
    expected = {"manifold_precision": 1.0, "manifold_recall": 1.0, "manifold_coverage": 1.0}.get(metric, 0.0)
    if not np.isfinite([own, forth]).all():
        raise MetricError(f"{where} of {forth}", "a finite number", "report this with the cohorts", where)
    if metric not in ("kid", "manifold_density") and abs(own - expected) > _SLACK:
        raise MetricError(f"{where} of a set and itself {own}", f"{expected:g}", "report this with the cohorts", where)
    back = distance(draw.real, draw.made)
    symmetric = metric in ("kid", "frechet", "transport", "sliced_wasserstein", "ms_ssim_gap")
    if symmetric and abs(back - forth) > _SLACK * max(1.0, abs(forth)):
        raise MetricError(f"{where} {forth} one way and {back} the other", "the same", "report this", where)


def _between(rows: Rows, compare: Callable[[Rows, Rows], float]) -> Distance:
    """A function of two sets of rows as one of their places."""
    return lambda a, b: compare(rows[a], rows[b])


def _variety(likeness: Rows) -> Distance:
    """Difference of the mean likeness of pairs within two sets."""

    def gap(a: Places, b: Places) -> float:
        return abs(mean_of_pairs(likeness[np.ix_(a, a)]) - mean_of_pairs(likeness[np.ix_(b, b)]))

    return gap


def _sliced(made: int, patches: Float32[np.ndarray, "case patch channel voxel"], seed: int) -> Distance:
    """Distance of projections, which are computed once."""
    cases, count, channels, voxels = patches.shape
    sides = [side.reshape(-1, channels, voxels) for side in (patches[:made], patches[made:])]
    scaled = np.concatenate([normalised(side) for side in sides if len(side)]).reshape(cases * count, -1)
    vectors = directions(channels * voxels, PROJECTIONS, stream(seed, "directions"))
    projected = np.ascontiguousarray((scaled @ vectors).reshape(cases, count, -1).transpose(0, 2, 1))

    def distance(a: Places, b: Places) -> float:
        sets = [projected[rows].transpose(1, 0, 2).reshape(PROJECTIONS, -1) for rows in (a, b)]
        return sliced_distance(*sets)

    return distance


_COMPARED: Final[Mapping[str, Callable[[Rows, Rows], float]]] = {
    "kid": kernel_distance,
    "frechet": frechet_distance,
    "manifold_precision": lambda a, b: manifold(a, b).precision,
    "manifold_recall": lambda a, b: manifold(a, b).recall,
    "manifold_density": lambda a, b: manifold(a, b).density,
    "manifold_coverage": lambda a, b: manifold(a, b).coverage,
}
"""Numbers in spaces of features, by name."""
