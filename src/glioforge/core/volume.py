"""One contrast of one scan: voxels, their grid and which contrast they show."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float32

from glioforge.core.errors import CaseError, GeometryError
from glioforge.core.geometry import Geometry
from glioforge.core.modality import Modality

Voxels = Float32[np.ndarray, "i j k"]
Mask = Bool[np.ndarray, "i j k"]


@final
@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar image.

    Args:
        voxels: Intensities, float32, `(i, j, k)`; set read-only.
        geometry: Their grid.
        modality: The contrast.

    Raises:
        GeometryError: The voxels' shape is not the grid's.
        CaseError: The voxels are not float32 or hold NaN or infinity.
    """

    voxels: Voxels
    geometry: Geometry
    modality: Modality

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise GeometryError(f"{self.modality} voxels of shape {self.voxels.shape}", f"shape {self.geometry.shape}")
        if self.voxels.dtype != np.float32:
            raise CaseError(f"{self.modality} voxels of type {self.voxels.dtype}", "float32")
        bad = int(self.voxels.size - np.count_nonzero(np.isfinite(self.voxels)))
        if bad:
            raise CaseError(
                f"{self.modality} holds {bad} voxels that are NaN or infinite",
                "finite intensities",
                "repair the file, or leave the case out",
            )
        self.voxels.setflags(write=False)
