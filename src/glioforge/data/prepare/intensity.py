"""Intensities in units of the brain's own spread: masked z-score, clipped, invertible.

Each contrast of each case is normalised by itself, over its brain (or over
its normal tissue, where a large tumour should not shift the rest).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from pydantic import Field

from glioforge.config.spec import Spec
from glioforge.core.errors import CaseError
from glioforge.core.volume import Mask, Voxels
from glioforge.data.prepare.choice import unless


@final
class IntensitySpec(Spec):
    """How intensities are normalised."""

    kind: Literal["zscore"] = Field("zscore", exclude_if=unless("zscore"))
    within: Literal["brain", "normal_tissue"] = "brain"
    """Voxels that mean and standard deviation are taken over; `normal_tissue` leaves the labelled tumour out."""
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
    voxels: Voxels, brain: Mask, spec: IntensitySpec | None = None, *, reference: Mask | None = None, where: str = ""
) -> tuple[Voxels, Normalisation]:
    """Masked z-score: mean 0 and standard deviation 1 within the brain before clipping; exactly 0 outside.

    Args:
        voxels: One contrast.
        brain: Brain mask.
        spec: Defaults unless given.
        reference: Voxels that mean and standard deviation are taken over; the brain unless given.
        where: Case and contrast, for the message.

    Raises:
        CaseError: The brain is empty or all its voxels are alike.
    """
    spec = spec or IntensitySpec()
    values = voxels[brain if reference is None else reference].astype(np.float64)
    std = float(values.std()) if values.size else 0.0
    if not std > 1e-6 * (abs(float(values.mean())) if values.size else 1.0):
        raise CaseError(
            f"{values.size} voxels without spread",
            "a brain whose voxels differ",
            "look at the image: it may be empty or hold a mask",
            where or None,
        )
    mean = float(values.mean())
    scores = (voxels - np.float32(mean)) / np.float32(std)
    clipped = int(np.count_nonzero(np.abs(scores[brain]) > spec.clip))
    result = np.where(brain, np.clip(scores, -spec.clip, spec.clip), np.float32(0)).astype(np.float32)
    return result, Normalisation(mean, std, spec.clip, clipped)
