"""Intensities in units of the brain's own spread: masked z-score, clipped, invertible.

Each contrast of each case is normalised by itself, over its brain; labels play
no part, so that a scan looks alike with and without them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from glioforge.config.spec import Spec
from glioforge.core.errors import CaseError
from glioforge.core.volume import Mask, Voxels
from glioforge.data.prepare.choice import unless

_PIECE = 2**15


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
