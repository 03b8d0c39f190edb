"""Settings of the phantom, and the grid they imply."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.core import BRATS2017, BRATS2024, Geometry, LabelScheme, Modality

FIELD_OF_VIEW_MM = (206.4, 206.4, 176.0)
"""Field of view that holds every phantom's brain, in millimetres."""
CENTRE_MM = (0.0, -17.0, 5.0)
"""Its centre in MNI152 coordinates (RAS), the middle of the atlas's brain."""
_SMALLEST_VIEW_MM = (165.0, 195.0, 165.0)

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]


class PhantomSpec(Spec):
    """What phantoms a cohort is made of."""

    shape: Shape = (96, 96, 64)
    """Voxels along left-right, front-back and foot-head."""
    spacing_mm: Spacing | None = None
    """Voxel size; none divides the field of view of 206.4 x 206.4 x 176 mm by the shape."""
    orientation: Literal["LPS", "RAS"] = "LPS"
    """Order of the stored voxels; the BraTS files are LPS. Both describe the same head."""
    high_grade_share: float = Field(0.75, ge=0, le=1)
    """Chance of a high-grade glioma with necrosis and an enhancing rim; the others are low-grade."""
    tumour_ml: tuple[float, float] = (5.0, 150.0)
    """Least and greatest volume aimed at for the whole tumour, in millilitres."""
    warp: float = Field(1.0, ge=0, le=1.2)
    """Differences between the subjects' anatomies; 0 gives the atlas, 1 is usual."""
    mass_effect: float = Field(1.0, ge=0, le=2)
    """Displacement by the tumour's core; 0 none, 1 is usual."""
    noise: float = Field(1.0, ge=0)
    """Multiplies the scanners' noise; 0 none."""
    bias: float = Field(1.0, ge=0)
    """Multiplies the logarithm of the scanners' bias fields; 0 none."""
    field_strengths: tuple[float, ...] = Field((1.5, 3.0), min_length=1)
    """Field strengths of the sites, in tesla, drawn evenly; 1.5 and 3.0 are known."""
    sites: int = Field(4, ge=1)
    """Scanners; each has its own sequence parameters, gain, noise and bias."""
    post_operative: bool = Field(False, exclude_if=lambda chosen: not chosen)
    """Take part of each core out: labels of BraTS 2024 with the resection cavity, and an APT-weighted contrast."""
    healthy: bool = Field(False, exclude_if=lambda chosen: not chosen)
    """Leave tumours out: the same heads without them, and label maps of background."""

    @model_validator(mode="after")
    def _fits(self) -> "PhantomSpec":
        """Refuse grids that cut the brain, unknown fields, and bounds of volume that are no interval."""
        view = tuple(n * s for n, s in zip(self.shape, self.spacing, strict=True))
        if min(self.shape) < 1 or any(v < least for v, least in zip(view, _SMALLEST_VIEW_MM, strict=True)):
            raise ValueError(
                f"shape {self.shape} at {self.spacing} mm cuts the brain; it needs at least {_SMALLEST_VIEW_MM} mm"
            )
        if max(self.spacing) > 16 or min(self.spacing) < 0.5:
            raise ValueError(f"spacing {self.spacing} mm, expected 0.5 to 16 mm")
        if not set(self.field_strengths) <= {1.5, 3.0}:
            raise ValueError(f"field_strengths {self.field_strengths} T, expected 1.5 and 3.0 only")
        low, high = self.tumour_ml
        if not 1 <= low < high <= 250:
            raise ValueError(f"tumour_ml {self.tumour_ml}, expected two rising numbers within 1 to 250 ml")
        if self.healthy and self.post_operative:
            raise ValueError("healthy and post_operative: nothing is operated without a tumour, leave one of them out")
        return self

    @property
    def spacing(self) -> Spacing:
        """Voxel size along the axes of `shape`, in millimetres."""
        if self.spacing_mm is not None:
            return self.spacing_mm
        i, j, k = (v / max(n, 1) for v, n in zip(FIELD_OF_VIEW_MM, self.shape, strict=True))
        return (i, j, k)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts that phantoms have."""
        return tuple(m for m in Modality if m is not Modality.APTW or self.post_operative)

    @property
    def scheme(self) -> LabelScheme:
        """Scheme of their label files."""
        return BRATS2024 if self.post_operative else BRATS2017

    def ras_geometry(self) -> Geometry:
        """Grid in RAS orientation and MNI152 coordinates, centred on the brain."""
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = [c - s * (n - 1) / 2 for c, s, n in zip(CENTRE_MM, self.spacing, self.shape, strict=True)]
        return Geometry(self.shape, affine)
