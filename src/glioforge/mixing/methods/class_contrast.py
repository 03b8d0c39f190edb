"""Change the intensities of each class by a gain and an offset of its own; no donor's voxel is used.

The strongest change of contrast that a label map allows without a network: the
class means of a case move apart from each other, while texture, noise and
anatomy stay those of the scan.  Own choice of the ranges, which are given in
units of prepared images (standard deviations of the brain).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np
from pydantic import Field
from scipy import ndimage

from glioforge.mixing import MIXINGS, Mixed, MixingSpec, Scan


@final
class ClassContrastSpec(MixingSpec):
    """Settings of class-wise changes of intensity."""

    alone: ClassVar[bool] = True
    """No donor is used."""
    kind: Literal["class_contrast"] = "class_contrast"
    """Name of the mixing."""
    offset: float = Field(0.3, ge=0)
    """Standard deviation of the offset of a class in a contrast, in standard deviations of the brain."""
    gain: float = Field(0.15, ge=0, lt=1)
    """Largest change of the spread within a class, as a share."""
    edge_mm: float = Field(1.0, ge=0)
    """Width over which the change of one class passes into that of the next; 0 changes it from voxel to voxel."""


@MIXINGS.register(ClassContrastSpec)
@final
@dataclass(frozen=True)
class ClassContrast:
    """Shift and stretch classes; record: `offsets` and `gains`, one row a contrast, by class value."""

    spec: ClassContrastSpec

    def draw(self, host: Scan, donor: Scan, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG002 - the protocol
        """Draw an offset and a gain for each class of the host and contrast."""
        classes = [int(v) for v in np.unique(host.labels) if v]
        shape = (len(host.images), len(classes))
        offsets = rng.normal(0, 1, shape) * self.spec.offset
        gains = 1 + rng.uniform(-1, 1, shape) * self.spec.gain
        return {"classes": classes, "offsets": offsets.round(5).tolist(), "gains": gains.round(5).tolist()}

    def apply(self, host: Scan, donor: Scan, values: Mapping[str, Any]) -> Mixed:  # noqa: ARG002 - the protocol
        """Change every class about its own mean; the background stays 0."""
        images = host.images.copy()
        width = [self.spec.edge_mm / s for s in host.spacing]
        for image, offsets, gains in zip(images, values["offsets"], values["gains"], strict=True):
            change = np.zeros_like(image)
            for value, offset, gain in zip(values["classes"], offsets, gains, strict=True):
                here = host.labels == value
                change[here] = np.float32(offset) + np.float32(gain - 1) * (image[here] - image[here].mean())
            # Smoothed over the brain alone, so that the rim does not fade towards the background's 0.
            weight = ndimage.gaussian_filter(host.brain.astype(np.float32), width)
            smooth = ndimage.gaussian_filter(change * host.brain, width) / np.maximum(weight, np.float32(1e-3))
            image[host.brain] += smooth[host.brain]
        return Mixed(images, host.labels.copy(), host.brain.copy())
