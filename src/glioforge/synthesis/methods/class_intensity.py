"""Class intensities on the label map, without a network: the control that a generator must beat.

Each class is painted with a mean drawn between the training subjects' means,
plus smooth variation within the class, a slight blur for partial volume, and
noise; after Billot et al. 2023 (SynthSeg, arXiv:2107.09559), but with the
intensities of the training subjects instead of random ones.

The preset `means` paints classes evenly: the per-class-mean image.

Deviations from SynthSeg: intensities are measured, not random; no bias field,
no random deformation (label maps are edited elsewhere) and no resolution loss.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import numpy as np
from pydantic import Field
from scipy import ndimage

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core import LabelMap
from glioforge.synthesis.appearance import class_indices
from glioforge.synthesis.method import SYNTHESIZERS, Images, Method, SynthesizerSpec


class ClassIntensitySpec(SynthesizerSpec):
    """Class intensities of the training subjects, jittered."""

    kind: Literal["class_intensity"] = "class_intensity"
    """Name of the method."""
    jitter: float = Field(0.3, ge=0)
    """Random shift of each class's mean, as a share of the spread between subjects."""
    texture: float = Field(1.0, ge=0)
    """Strength of the variation within a class, as a share of what was measured; 0 paints classes evenly."""
    smooth_share: float = Field(0.5, ge=0, le=1)
    """Share of the variance within a class that varies smoothly; the rest is noise from voxel to voxel."""
    smooth_voxels: float = Field(2.0, gt=0)
    """Width (standard deviation) of the smooth variation."""
    blur_voxels: float = Field(0.6, ge=0)
    """Width (standard deviation) of the blur between classes."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "means": {"texture": 0.0, "jitter": 0.0, "blur_voxels": 0.0},
    }


@final
@SYNTHESIZERS.register(ClassIntensitySpec)
class ClassIntensity(Method):
    """Paints classes with measured intensities."""

    def images(self, labels: LabelMap, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Images:  # noqa: ARG002 - no network
        """Paint one contrast after the other; noise is drawn for each."""
        spec: ClassIntensitySpec = self.spec
        style = self.knowledge.appearance.draw(rng, spec.jitter)
        classes = class_indices(labels.voxels, labels.scheme)
        painted = []
        for contrast in range(len(self.knowledge.modalities)):
            smooth = ndimage.gaussian_filter(rng.standard_normal(classes.shape), spec.smooth_voxels)
            rough = rng.standard_normal(classes.shape)
            texture = np.sqrt(spec.smooth_share) * smooth / max(float(smooth.std()), 1e-6)
            texture += np.sqrt(1 - spec.smooth_share) * rough
            flat = ndimage.gaussian_filter(style.means[:, contrast][classes], spec.blur_voxels)
            painted.append(flat + spec.texture * style.deviations[:, contrast][classes] * texture)
        return np.stack(painted).astype(np.float32)
