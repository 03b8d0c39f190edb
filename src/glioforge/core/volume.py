"""One contrast of one scan: voxels, their grid, and the contrast by its name in the field."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import final

import numpy as np
from jaxtyping import Bool, Float32

from glioforge.core.errors import CaseError, GeometryError
from glioforge.core.geometry import Geometry

Voxels = Float32[np.ndarray, "i j k"]


Mask = Bool[np.ndarray, "i j k"]


@final
@unique
class Modality(StrEnum):
    """One MRI contrast; the value is its short name in files and tables.

    Example:
        >>> Modality("t1ce") is Modality.T1CE
        True
    """

    T1 = "t1"
    """T1-weighted, before contrast agent."""
    T1CE = "t1ce"
    """T1-weighted, after gadolinium."""
    T2 = "t2"
    """T2-weighted."""
    FLAIR = "flair"
    """T2-weighted with the signal of free fluid nulled by inversion."""
    APTW = "aptw"
    """Amide-proton-transfer-weighted."""

    @property
    def title(self) -> str:  # type: ignore[override]  # a name in place of `str.title`, which nobody needs here
        """Name as printed in figures, for example `"T1ce"`."""
        return {"t1": "T1", "t1ce": "T1ce", "t2": "T2", "flair": "FLAIR", "aptw": "APTw"}[self]


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


def in_standard_order(modalities: "frozenset[Modality] | set[Modality]") -> tuple[Modality, ...]:
    """Sort contrasts in the order T1, T1ce, T2, FLAIR, APTw; empty in, empty out.

    Example:
        >>> in_standard_order({Modality.FLAIR, Modality.T1})
        (<Modality.T1: 't1'>, <Modality.FLAIR: 'flair'>)
    """
    return tuple(modality for modality in Modality if modality in modalities)
