"""Scale the intensities of a contrast over its brain: masked z-score, or a stretch between two percentiles.

Each contrast of each case is normalised by itself, over its brain; labels play
no part, so that a scan looks alike with and without them.  Both scalings are
invertible.

The minimum and maximum of a scan hang on single voxels, so percentiles stand
in for them.  A range of -1 to 1 suits generators that end in a hyperbolic
tangent (own choice; Han et al. 2018 and Carver et al. do not name theirs).

Settings of a step that comes in several kinds are discriminated unions with a
default kind, which a YAML need not name.  A setting that stands at the value it
had before it could be chosen is left out of dumps, so that folders prepared
earlier keep their keys.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, final

import numpy as np
from jaxtyping import Float32
from pydantic import Discriminator, Field, model_validator

from glioforge.config import Spec
from glioforge.core import CaseError, Mask, Voxels

_PIECE = 2**15


def unless(default: object) -> Callable[[Any], bool]:
    """Test for `Field(exclude_if=...)`: leave the value out of dumps while it is the default."""
    return lambda value: bool(value == default)


@final
class IntensitySpec(Spec):
    """How intensities are normalised."""

    kind: Literal["zscore"] = Field("zscore", exclude_if=unless("zscore"))
    clip: float = Field(5.0, gt=0)
    """Values beyond this many standard deviations are cut off."""


@final
@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation that were taken out of a contrast, enough to put them back.

    Args:
        mean: Mean within the brain, in the units of the scan.
        std: Standard deviation within the brain, above 0.
        clip: Limit in standard deviations.
        clipped: Number of brain voxels that were cut off at the limit.
    """

    mean: float
    std: float
    clip: float
    clipped: int = 0

    def invert(self, voxels: Voxels, brain: Mask, background: float = 0.0) -> Voxels:
        """Intensities of the scan again; exact but for what was cut off and for rounding."""
        scan = voxels * np.float32(self.std) + np.float32(self.mean)
        return np.where(brain, scan, np.float32(background))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"mean": self.mean, "std": self.std, "clip": self.clip, "clipped": self.clipped}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Normalisation":
        """Inverse of `to_json`."""
        return cls(values["mean"], values["std"], values["clip"], values["clipped"])


def normalise(
    voxels: Voxels, brain: Mask, spec: IntensitySpec | None = None, *, where: str = ""
) -> tuple[Voxels, Normalisation]:
    """Masked z-score: mean 0 and standard deviation 1 within the brain before clipping; exactly 0 outside.

    Args:
        voxels: One contrast.
        brain: Brain mask.
        spec: Defaults unless given.
        where: Case and contrast, for the message.

    Raises:
        CaseError: The brain is empty or all its voxels are alike.
    """
    spec = spec or IntensitySpec()
    scores = within(voxels, brain)
    mean, std = moments(scores)
    if not std > 1e-6 * (abs(mean) if scores.size else 1.0):
        raise CaseError(
            f"{scores.size} voxels without spread",
            "a brain whose voxels differ",
            "look at the image: it may be empty or hold a mask",
            where or None,
        )
    scores -= np.float32(mean)
    scores /= np.float32(std)
    clipped = int(np.count_nonzero(np.abs(scores) > spec.clip))
    np.clip(scores, -spec.clip, spec.clip, out=scores)
    return spread(scores, brain), Normalisation(mean, std, spec.clip, clipped)


def within(voxels: Voxels, mask: Mask) -> Float32[np.ndarray, "n"]:
    """Values of a mask's voxels, in the order in which the mask lies in memory; a copy."""
    return voxels.T[mask.T] if mask.flags.f_contiguous else voxels[mask]


def spread(values: Float32[np.ndarray, "n"], mask: Mask) -> Voxels:
    """Inverse of `within`; 0 outside the mask."""
    turned = mask.flags.f_contiguous
    result = np.zeros(mask.shape, dtype=np.float32, order="F" if turned else "C")
    (result.T if turned else result)[mask.T if turned else mask] = values
    return result


def moments(values: Float32[np.ndarray, "n"]) -> tuple[float, float]:
    """Mean and standard deviation that do not depend on the order of the values; 0 and 0 for none.

    So a scan gives the same bytes whichever way its axes run.

    Example:
        >>> moments(np.array([1.0, 3.0], dtype=np.float32))
        (2.0, 1.0)
    """
    if not values.size:
        return 0.0, 0.0
    low, high = float(values.min()), float(values.max())
    mean = _sum(values, 0.0, max(high, -low), 1) / values.size
    farthest = max(high - mean, mean - low)
    return mean, math.sqrt(_sum(values, mean, farthest, 2) / values.size)


def _sum(values: Float32[np.ndarray, "n"], origin: float, farthest: float, power: Literal[1, 2]) -> float:
    """Sum of powers of the distance from an origin, exact after rounding.

    Terms are rounded so far that no partial sum needs more than 53 bits, and
    looked at in pieces that stay in the processor's cache.
    """
    shift = 51 - math.ceil(math.log2(values.size + 1)) - power * math.frexp(farthest)[1]
    scale = math.ldexp(1.0, shift)
    total = 0.0
    for start in range(0, len(values), _PIECE):
        terms = values[start : start + _PIECE].astype(np.float64)
        terms -= origin
        if power == 2:
            terms *= terms
        terms *= scale
        total += float(np.rint(terms, out=terms).sum())
    return math.ldexp(total, -shift)


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


def kind_or(default: str) -> Discriminator:
    """Discriminator of a union of specs: their `kind`, or `default` where a mapping names none."""

    def kind(value: Any) -> str:  # noqa: ANN401 - whatever a YAML holds
        if isinstance(value, Mapping):
            return str(value.get("kind", default))
        return str(getattr(value, "kind", default))

    return Discriminator(kind)
