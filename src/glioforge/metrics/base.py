"""What a metric is: a named number with a unit, a direction and a policy for empty masks.

Libraries disagree on what a metric of an empty mask is, and a NaN that a later
mean passes over removes the worst misses from a study.  Here no metric is ever
NaN: each says in `when_empty` what it gives when the prediction, the truth or
both are empty, and the row that holds the number says which case it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, Generic, Literal, TypeVar, final

Subject = TypeVar("Subject")

Empty = Literal["", "prediction empty", "truth empty", "both empty"]
"""Which mask is empty, as written in the column `empty` of a row; `""` if none is."""

Fill = float | Literal["diagonal", "formula"]
"""A fixed value, the diagonal of the image in mm, or what the formula itself gives."""


@final
@unique
class Direction(StrEnum):
    """Which values are good."""

    HIGHER = "higher"
    """The higher the better."""
    LOWER = "lower"
    """The lower the better; never negative."""
    ZERO = "zero"
    """The nearer to zero the better; signed."""
    ONE = "one"
    """The nearer to one the better; a ratio."""
    NEITHER = "neither"
    """No value is better than another: a description, such as a volume."""


@final
@dataclass(frozen=True)
class WhenEmpty:
    """What a metric gives where a mask is empty.

    Args:
        both: Neither mask has a voxel: a true negative.
        prediction: Only the truth has voxels: a miss.
        truth: Only the prediction has voxels: a false alarm.
    """

    both: Fill
    prediction: Fill
    truth: Fill

    def fill(self, empty: Empty) -> Fill:
        """Policy of a case; `"formula"` where no mask is empty.

        Example:
            >>> AGREEMENT.fill("truth empty")
            0.0
        """
        fills: dict[Empty, Fill] = {
            "": "formula",
            "both empty": self.both,
            "prediction empty": self.prediction,
            "truth empty": self.truth,
        }
        return fills[empty]


AGREEMENT: Final = WhenEmpty(both=1.0, prediction=0.0, truth=0.0)
"""Shares of agreement: agreeing on nothing is perfect, one empty mask is the worst."""
DISTANCE: Final = WhenEmpty(both=0.0, prediction="diagonal", truth="diagonal")
"""Distances: no distance, or the longest that the image has room for."""
DEFINED: Final = WhenEmpty(both="formula", prediction="formula", truth="formula")
"""The formula covers empty masks itself."""


@final
@dataclass(frozen=True)
class Metric(Generic[Subject]):
    """A number about a pair of masks or images.

    Args:
        name: Name in tables and YAML, lower case with the unit's scale if any: `nsd_1mm`.
        unit: `1` for shares and ratios, `mm`, `ml`, `dB`, `octaves`, or `intensity`.
        direction: Which values are good.
        function: Computes it from a pair; never NaN where no mask is empty.
        when_empty: What it gives where a mask is empty.
        title: Name in figures.
        offset: Of a volume that is compared as a ratio, what is added before logarithms are taken; else none.
    """

    name: str
    unit: str
    direction: Direction
    function: Callable[[Subject], float]
    when_empty: WhenEmpty
    title: str
    offset: float | None = None


@final
@dataclass(frozen=True)
class MetricRow:
    """One number of one case.

    Args:
        region: Region or label it was measured in: `WT`, `brain`.
        metric: Name of the metric.
        value: The number; never NaN.
        unit: Its unit.
        empty: Which mask was empty, so that the value follows the metric's policy; `""` if none was.
    """

    region: str
    metric: str
    value: float
    unit: str
    empty: str = ""
