"""Even out the scanner's bias field in the images that are kept.

Off unless asked for: a generator should learn the fields that real scans have,
and the tissue classes fit a field of their own.
"""

from collections.abc import Mapping
from typing import final

import numpy as np
from pydantic import Field

from glioforge.config import Spec
from glioforge.core import CaseError, Mask, Modality, Volume
from glioforge.io import bias_field


@final
class BiasSpec(Spec):
    """N4 within the brain."""

    shrink: int = Field(4, ge=1)
    """The field is fitted on every n-th voxel along each axis."""
    rounds: tuple[int, ...] = Field((50, 50, 30), min_length=1)
    """Iterations at each resolution of the field, coarse to fine."""


def without_bias(
    images: Mapping[Modality, Volume], brain: Mask, spec: BiasSpec | None = None, where: str = ""
) -> dict[Modality, Volume]:
    """Images divided by their bias field; unchanged outside the brain.

    Args:
        images: Scans as they came, not normalised ones.
        brain: Voxels that the field is fitted on, and that are corrected.
        spec: Defaults unless given.
        where: Case, for the message.

    Raises:
        CaseError: Intensities in the brain are below 0: they were normalised before.
        DependencyError: SimpleITK is not installed.
    """
    spec = spec or BiasSpec()
    result = {}
    for modality, volume in images.items():
        least = float(volume.voxels[brain].min(initial=0.0))
        if least < 0:
            raise CaseError(
                f"{modality} goes down to {least:.4g} in the brain",
                "intensities of a scanner, which are not below 0",
                "set bias to null: a field cannot be told from normalised intensities",
                where or None,
            )
        field = bias_field(volume, brain & (volume.voxels > 0), shrink=spec.shrink, rounds=spec.rounds)
        voxels = np.where(brain, volume.voxels / field, volume.voxels).astype(np.float32)
        result[modality] = Volume(voxels, volume.geometry, modality)
    return result
