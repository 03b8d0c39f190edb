"""Intensities between two percentiles of the brain, stretched linearly to a fixed range, invertible.

The minimum and maximum of a scan hang on single voxels, so percentiles stand
in for them.  A range of -1 to 1 suits generators that end in a hyperbolic
tangent (own choice; Han et al. 2018 and Carver et al. do not name theirs).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, final

import numpy as np
from pydantic import Field, model_validator

from glioforge.config.spec import Spec
from glioforge.core.errors import CaseError
from glioforge.core.volume import Mask, Voxels


@final
class PercentileSpec(Spec):
    """Stretch between two percentiles of the brain."""

    kind: Literal["percentile"] = "percentile"
    low: float = Field(0.5, ge=0, lt=100)
    """Percentile that becomes the lower end."""
    high: float = Field(99.5, gt=0, le=100)
    """Percentile that becomes the upper end."""
    ends: tuple[float, float] = (-1.0, 1.0)
    """Range of the result, within -5 to 5; voxels beyond the percentiles are cut off there."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """Both pairs rise, and the range is one that synthesizers take."""
        if not (self.low < self.high and -5 <= self.ends[0] < self.ends[1] <= 5):
            raise ValueError("low must lie below high, and ends must rise within -5 to 5")
        return self


@final
@dataclass(frozen=True)
class Stretch:
    """How a contrast was stretched, enough to undo it.

    Args:
        low: Intensity of the scan at the lower end.
        high: Intensity of the scan at the upper end, above `low`.
        ends: Lower and upper end of the result.
        clipped: Number of brain voxels that were cut off at the ends.
    """

    low: float
    high: float
    ends: tuple[float, float]
    clipped: int = 0

    def invert(self, voxels: Voxels, brain: Mask, background: float = 0.0) -> Voxels:
        """Intensities of the scan again; exact but for what was cut off and for rounding."""
        first, last = self.ends
        scan = (voxels - np.float32(first)) * np.float32((self.high - self.low) / (last - first)) + np.float32(self.low)
        return np.where(brain, scan, np.float32(background))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "kind": "percentile",
            "low": self.low,
            "high": self.high,
            "ends": list(self.ends),
            "clipped": self.clipped,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Stretch":
        """Inverse of `to_json`."""
        first, last = values["ends"]
        return cls(values["low"], values["high"], (first, last), values["clipped"])


def stretch(
    voxels: Voxels, brain: Mask, spec: PercentileSpec | None = None, *, where: str = ""
) -> tuple[Voxels, Stretch]:
    """Stretch a contrast between two percentiles of its brain; exactly 0 outside.

    Args:
        voxels: One contrast.
        brain: Brain mask.
        spec: Defaults unless given.
        where: Case and contrast, for the message.

    Raises:
        CaseError: The brain is empty or both percentiles are alike.
    """
    spec = spec or PercentileSpec()
    values = voxels[brain].astype(np.float64)
    low, high = np.percentile(values, [spec.low, spec.high]).tolist() if values.size else (0.0, 0.0)
    if not high - low > 1e-6 * max(abs(low), abs(high)):
        raise CaseError(
            f"{values.size} voxels whose percentiles {spec.low} and {spec.high} are alike",
            "a brain whose voxels differ",
            "look at the image, or take percentiles that lie further apart",
            where or None,
        )
    first, last = spec.ends
    stretched = (voxels - np.float32(low)) * np.float32((last - first) / (high - low)) + np.float32(first)
    clipped = int(np.count_nonzero((voxels[brain] < low) | (voxels[brain] > high)))
    result = np.where(brain, np.clip(stretched, first, last), np.float32(0)).astype(np.float32)
    return result, Stretch(low, high, spec.ends, clipped)
