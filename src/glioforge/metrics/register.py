"""The register of metrics: what a page has to know of a number in the results table, by the metric's name.

A metric that is not registered raises an error, because a page that guesses its
direction can praise the worse arm.  A metric of a whole cohort belongs to no
subject; its interval comes from resamples (see `statistics.intervals`).

Conventions
-----------
case      one number for each case; cases of a subject are averaged
subject   one number for each subject, from all of its cases
cohort    one number for a whole set of cases
range     least and greatest value that is possible, infinity where there is no bound
"""

import math
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final, final

from glioforge.core import MetricError
from glioforge.metrics.base import Direction, Metric
from glioforge.metrics.borders import BORDERS
from glioforge.metrics.overlap import FALSE_ALARMS, LESIONWISE, OVERLAP, SURFACE
from glioforge.metrics.similarity import PATCHES, SIMILARITY
from glioforge.metrics.texture import DIVERSITY, STREAKS, TEXTURE

Bounds = tuple[float, float]

ANY: Final[Bounds] = (-math.inf, math.inf)
NOT_NEGATIVE: Final[Bounds] = (0.0, math.inf)
SHARE: Final[Bounds] = (0.0, 1.0)


@final
@unique
class Level(StrEnum):
    """What one number is about."""

    CASE = "case"
    """A case; cases of a subject are averaged."""
    SUBJECT = "subject"
    """A subject."""
    COHORT = "cohort"
    """A whole set of cases; its rows name no subject."""


@final
@dataclass(frozen=True)
class RegisteredMetric:
    """What tables, figures and comparisons have to know of a metric.

    Args:
        name: Name in the results table.
        title: Name in headings.
        unit: `1` for shares and ratios.
        direction: Which values are good.
        bounds: Least and greatest possible value.
        level: What one number is about.
        offset: Where arms are compared by the ratio of geometric means, what is added to each value before; else none.
    """

    name: str
    title: str
    unit: str
    direction: Direction
    bounds: Bounds
    level: Level = Level.CASE
    offset: float | None = None

    @property
    def is_share(self) -> bool:
        """Whether the value has no unit."""
        return self.unit in ("", "1")

    @property
    def heading(self) -> str:
        """Title with the unit, if it has one."""
        return self.title if self.is_share else f"{self.title}, {self.unit}"


_REGISTER: Final[dict[str, RegisteredMetric]] = {}


def register(metric: RegisteredMetric) -> RegisteredMetric:
    """Add a metric to the register and return it; the same entry may be added again.

    Raises:
        MetricError: The name is taken by another entry.
    """
    known = _REGISTER.setdefault(metric.name, metric)
    if known != metric:
        raise MetricError(
            f"metric {metric.name!r} registered twice, as {known} and as {metric}",
            "one entry for each name",
            "give the new metric a name of its own",
        )
    return metric


def metric_named(name: str) -> RegisteredMetric:
    """Return the entry of a metric.

    Raises:
        MetricError: The metric is not registered, so that nobody knows which of its values are better.

    Example:
        >>> metric_named("hd95").heading
        'HD95, mm'
    """
    try:
        return _REGISTER[name]
    except KeyError:
        raise MetricError(
            f"metric {name!r}, which is not registered",
            f"one of {', '.join(registered())}",
            "register it with unit, direction and level (glioforge.metrics.register.register) where it is computed",
        ) from None


def registered() -> tuple[str, ...]:
    """Return the names of all registered metrics, sorted."""
    return tuple(sorted(_REGISTER))


def _bounds_of(metric: Metric[Any]) -> Bounds:
    """Bounds of a metric of cases, by its unit and direction."""
    if metric.direction is Direction.ZERO or metric.unit == "dB":
        return ANY
    if metric.name.startswith("ssim"):
        return (-1.0, 1.0)
    return SHARE if metric.unit == "1" and metric.direction is Direction.HIGHER else NOT_NEGATIVE


_OF_CASES: Final[tuple[Metric[Any], ...]] = (
    *OVERLAP,
    *SURFACE,
    *LESIONWISE,
    *FALSE_ALARMS,
    *SIMILARITY,
    *TEXTURE,
    *STREAKS,
    *PATCHES,
    *BORDERS,
    *DIVERSITY,
)
_DESCRIPTIONS: Final = (
    ("volume", "Volume", "ml", NOT_NEGATIVE),
    ("grey_to_white", "Grey over white matter", "1", NOT_NEGATIVE),
    ("csf_to_brain", "Fluid over brain", "1", SHARE),
    ("csf_share", "Share of fluid", "1", SHARE),
)
"""Numbers about completed label maps (`segmentation.tissue`)."""

_OF_CLASSIFIERS: Final = (
    ("slice_auc", "AUC of slices with tumour", Level.CASE),
    ("grade_auc", "AUC of high grade", Level.COHORT),
)
"""How well a classifier's answers rank slices of a case, and subjects (`classification.train`); of unit 1."""

_OF_COHORTS: Final = (
    ("sliced_wasserstein", "Sliced Wasserstein distance", Direction.LOWER, NOT_NEGATIVE),
    ("kid", "Kernel distance", Direction.ZERO, ANY),
    ("frechet", "Fréchet distance", Direction.LOWER, NOT_NEGATIVE),
    ("transport", "Transport distance", Direction.LOWER, NOT_NEGATIVE),
    ("manifold_precision", "Precision of features", Direction.HIGHER, SHARE),
    ("manifold_recall", "Recall of features", Direction.HIGHER, SHARE),
    ("manifold_density", "Density of features", Direction.HIGHER, NOT_NEGATIVE),
    ("manifold_coverage", "Coverage of features", Direction.HIGHER, SHARE),
    ("ms_ssim_gap", "Difference of MS-SSIM of pairs", Direction.LOWER, SHARE),
    ("two_sample_auc", "AUC of the two-sample test", Direction.NEITHER, SHARE),
)
"""Numbers about two cohorts (`metrics.cohort`); all of unit 1."""

for _metric in _OF_CASES:
    _about = (_metric.name, _metric.title, _metric.unit, _metric.direction, _bounds_of(_metric))
    register(RegisteredMetric(*_about, offset=_metric.offset))
for _name, _title, _unit, _bounds in _DESCRIPTIONS:
    register(RegisteredMetric(_name, _title, _unit, Direction.NEITHER, _bounds))
for _name, _title, _direction, _bounds in _OF_COHORTS:
    register(RegisteredMetric(_name, _title, "1", _direction, _bounds, Level.COHORT))
for _name, _title, _level in _OF_CLASSIFIERS:
    register(RegisteredMetric(_name, _title, "1", Direction.HIGHER, SHARE, _level))
