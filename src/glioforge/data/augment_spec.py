"""Settings of classical augmentation, free of torch.

Defaults follow nnU-Net (Isensee et al. 2021) and TorchIO (Pérez-García et al.
2021); brightness and elastic deformation, which a study of BraTS found the most
useful (Cirillo et al. 2021), are among them.  Two departures suit heads: slices
are flipped left to right only, and rotations stay within 20 degrees.
"""

from pydantic import Field, model_validator

from glioforge.config import Spec


class Amount(Spec):
    """How often and how strongly one change is applied."""

    chance: float = Field(ge=0, le=1)
    """Share of the samples (or of their channels) that are changed."""
    low: float
    """Smallest amount drawn, uniformly."""
    high: float
    """Largest amount drawn."""

    @model_validator(mode="after")
    def _ordered(self) -> "Amount":
        if self.low > self.high:
            msg = f"low {self.low} is above high {self.high}"
            raise ValueError(msg)
        return self


class AugmentSpec(Spec):
    """Which changes are drawn for each sample of a batch.

    Spatial changes hit all channels and the labels of a sample alike; changes
    of intensity are drawn for each channel.  Intensities are z-scores.
    """

    flip_x: float = Field(0.5, ge=0, le=1)
    """Chance of a flip along the first axis of the tensor, left and right in axial slices."""
    flip_y: float = Field(0.0, ge=0, le=1)
    """Chance of a flip along the second axis, front and back in axial slices."""
    flip_z: float = Field(0.0, ge=0, le=1)
    """Chance of a flip along the third axis of volumes."""
    rotate: Amount = Amount(chance=0.5, low=-20, high=20)
    """Rotation in degrees about the centre; for volumes about each axis."""
    scale: Amount = Amount(chance=0.5, low=0.8, high=1.25)
    """Factor by which the head grows, along each axis by itself."""
    shift: Amount = Amount(chance=0.5, low=-0.06, high=0.06)
    """Shift along each axis as a share of its size."""
    elastic: Amount = Amount(chance=0.4, low=0.005, high=0.03)
    """Standard deviation of the displacement at control points as a share of the size."""
    elastic_points: int = Field(6, ge=3)
    """Control points along each axis."""
    brightness: Amount = Amount(chance=0.3, low=-0.4, high=0.4)
    """Constant added in the brain, in standard deviations."""
    contrast: Amount = Amount(chance=0.3, low=0.7, high=1.4)
    """Factor of the intensities about their mean, which is 0."""
    gamma: Amount = Amount(chance=0.3, low=0.7, high=1.5)
    """Exponent of the intensities between their extremes in the brain; mean and spread are kept."""
    bias: Amount = Amount(chance=0.3, low=0.05, high=0.2)
    """Standard deviation of the logarithm of a smooth field that multiplies the signal."""
    noise: Amount = Amount(chance=0.3, low=0.02, high=0.25)
    """Standard deviation of Gaussian noise in the brain."""
    blur: Amount = Amount(chance=0.2, low=0.4, high=1.0)
    """Standard deviation in voxels of a Gaussian blur."""
    coarsen: Amount = Amount(chance=0.15, low=1.2, high=2.2)
    """Factor by which the grid is made coarser and fine again; one for a batch."""
