"""Settings of `painted`, and what a scanner adds to a head: resolution, shifts between contrasts, noise, a bias field.

Blur and shift are one separable filter: a Gaussian of a drawn width, sampled
off its centre.  The bias field is a sum of a few low cosines.  All of it is
written for whole volumes at once.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.synthesis import OrderRule, SynthesizerSpec


class ScannerSpec(Spec):
    """How strongly the scanner is felt."""

    noise: float = Field(1.0, ge=0)
    """Multiplies the noise measured on training cases; 0 adds none."""
    bias: float = Field(0.04, ge=0, lt=1)
    """Standard deviation of the gain of a smooth field in each contrast."""
    blur_mm: tuple[float, float] = (0.4, 1.2)
    """Smallest and largest width (standard deviation) of the blur within slices, drawn for each contrast."""
    thick_mm: float = Field(1.0, ge=0)
    """Largest width of a further blur along one axis, as in thick slices; drawn for each contrast."""
    shift_mm: float = Field(0.3, ge=0)
    """Standard deviation of the shift of a contrast along each axis, as registration leaves it."""


class PaintedSpec(SynthesizerSpec):
    """Subclasses of the label map, painted in a drawn style."""

    kind: Literal["painted"] = "painted"
    """Name of the method."""
    subclasses: int = Field(3, ge=1, le=5)
    """Intensity subclasses of each class; 1 paints classes evenly."""
    width: float = Field(1.5, ge=0, le=5)
    """Spread of drawn styles, as a multiple of the spread between training cases; 0 paints in their mean style."""
    order: tuple[OrderRule, ...] | None = None
    """Which class is brighter than which in a contrast, kept by every style; none takes those of the usual rules that
    the training cases keep, an empty list takes no rule."""
    texture: float = Field(1.0, ge=0)
    """Strength of the variation within a subclass, as a share of what was measured."""
    texture_mm: float = Field(2.0, gt=0)
    """Width of that variation (standard deviation of its smoothing)."""
    patch_mm: tuple[float, float] = (2.5, 8.0)
    """Smallest and largest size of the patches that subclasses form, drawn for each volume."""
    scanner: ScannerSpec | None = ScannerSpec()
    """Resolution, shifts, noise and bias field; none leaves images as they were painted."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "narrow": {"width": 1.0},
        "wide": {"width": 2.5},
        "means": {"width": 0.0, "subclasses": 1, "texture": 0.0, "scanner": None},
    }


Volume = Float32[np.ndarray, "i j k"]


_WAVES = 8


_ORIGIN = 3.0
"""Intensity 0 of the scanner lies so many standard deviations of the brain below the mean of z-scored images."""


def blurred_and_shifted(
    image: Volume, spacing: tuple[float, float, float], spec: ScannerSpec, rng: np.random.Generator
) -> Volume:
    """Blur an image and shift it by less than a few voxels; borders are continued.

    Args:
        image: Any image.
        spacing: Voxel size in mm.
        spec: Widths and shifts.
        rng: Source of the draws; the number of draws does not depend on the settings.
    """
    widths = np.full(3, rng.uniform(*spec.blur_mm))
    widths[rng.integers(3)] += rng.uniform(0, spec.thick_mm)
    shifts = np.clip(rng.standard_normal(3), -2, 2) * spec.shift_mm
    for axis, (width, shift, step) in enumerate(zip(widths, shifts, spacing, strict=True)):
        weights = _kernel(width / step, shift / step)
        if len(weights) > 1:
            image = ndimage.correlate1d(image, weights, axis=axis, mode="nearest")
    return image


def _kernel(width: float, shift: float) -> np.ndarray:
    """Gaussian about a shifted centre; a narrow one interpolates linearly, one without width and shift is 1."""
    if width < 1e-3 and abs(shift) < 1e-3:
        return np.ones(1)
    reach = int(np.ceil(2.5 * width + abs(shift))) or 1
    places = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * ((places - shift) / max(width, 0.3)) ** 2)
    kernel: np.ndarray = weights / weights.sum()
    return kernel


def with_bias(image: Volume, spec: ScannerSpec, rng: np.random.Generator) -> Volume:
    """Multiply the intensities behind a z-scored image by a smooth field of mean 1."""
    terms = [_waves(rng, n) for n in image.shape]
    weights = rng.standard_normal(_WAVES).astype(np.float32)
    field = np.einsum("w,wi,wj,wk->ijk", weights, *terms, optimize=True)
    field *= np.float32(spec.bias) / np.float32(max(float(field.std()), 1e-6))
    biased: Volume = image + field * (image + np.float32(_ORIGIN))
    return biased


def _waves(rng: np.random.Generator, size: int) -> np.ndarray:
    """Low cosines along an axis, `(wave, size)`: up to a wave and a half over its length."""
    frequency = rng.uniform(0, 1.5, (_WAVES, 1))
    phase = rng.uniform(0, 1, (_WAVES, 1))
    place = np.arange(size)[None] / max(size, 1)
    return np.cos(2 * np.pi * (frequency * place + phase)).astype(np.float32)
