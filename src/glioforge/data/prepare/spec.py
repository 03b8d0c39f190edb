"""Settings of preparation; every step can be changed or switched off in a YAML."""

from typing import final

from pydantic import Field

from glioforge.config.spec import Spec
from glioforge.core.modality import Modality
from glioforge.data.prepare.brain import BrainSpec
from glioforge.data.prepare.intensity import IntensitySpec
from glioforge.data.prepare.tissue import TissueSpec


@final
class GridSpec(Spec):
    """The prepared grid."""

    spacing_mm: float | tuple[float, float, float] | None = None
    """Voxel size, one number or one an axis (right, front, up); none keeps each case's own."""
    size: tuple[int, int, int] | None = None
    """Shape of the grid; none takes the smallest that holds every brain of the cohort."""
    margin: int = Field(2, ge=0)
    """Voxels kept free around the largest brain, where the size is fitted."""
    multiple: int = Field(8, ge=1)
    """Each side of a fitted size is a multiple of it."""
    keep_lesions_mm3: float | None = Field(0.0, ge=0)
    """Connected lesions of at least this volume never vanish; none lets them."""

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Spacing for each axis."""
        if isinstance(self.spacing_mm, float | int):
            return (float(self.spacing_mm),) * 3
        return self.spacing_mm


@final
class PrepareSpec(Spec):
    """How cases become a prepared cohort."""

    modalities: tuple[Modality, ...] | None = None
    """Contrasts to keep; none keeps those that every case has."""
    brain: BrainSpec = BrainSpec()
    """How the brain mask is found."""
    grid: GridSpec = GridSpec()
    """Spacing and shape."""
    intensity: IntensitySpec | None = IntensitySpec()
    """How intensities are normalised; none leaves them as they are."""
    tissue: TissueSpec | None = TissueSpec()
    """How normal tissue is told apart; none leaves label maps without it."""
