"""Base of the samplers of slices: training slices, batches of them, and volumes one voxel thick of what is made.

Conventions
-----------
images      `(contrast, x, y)`, square, from -1 outside the brain to 1, which is the z-score `span`
"""

from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from glioforge.core import Cohort, Modality, Volume
from glioforge.data import SLICES_FROM, SLICES_TO
from glioforge.sampling.method import Batches, Sampler
from glioforge.sampling.slice_spec import AXES, SliceSpec
from glioforge.sampling.slices import DARK, DARKEST, TrainingSlices, slice_geometry, training_slices

if TYPE_CHECKING:
    import torch

Slice = Float32[np.ndarray, "contrast x y"]


class SliceSampler(Sampler, ABC):
    """One way to make slices of all contrasts from noise; a sampler gives `build`, `loss` and `make`.

    A batch holds `images` `(b, contrast, size, size)` in float32; its slices are drawn with equal chance from those of
    all training cases.
    """

    makes: ClassVar = "images"
    spec: SliceSpec

    def slices(self, cohort: Cohort) -> TrainingSlices:
        """Cut the slices of a cohort that the settings choose.

        Raises:
            CohortError: There are none, or cases lack labels where content is asked for.
        """
        return training_slices(self.spec, cohort, self.knowledge.modalities)

    def examples(self, cohort: Cohort) -> Mapping[str, "torch.Tensor"]:
        """Slices of all cases; they are held in memory, in half precision."""
        return {"images": self.slices(cohort).images}

    def batches(self, cohort: Cohort, seed: int) -> Batches:
        """Draw slices of all training cases with the same chance, in float32."""
        drawn = super().batches(cohort, seed)

        def batch(step: int) -> Mapping[str, "torch.Tensor"]:
            rows = drawn(step)
            return {**rows, "images": rows["images"].float()}

        return batch

    def facts(self) -> dict[str, Any]:
        """Which slices of the grid were learned."""
        first, last = self.spec.between
        return {SLICES_FROM: first, SLICES_TO: last}

    def volumes(self, images: np.ndarray) -> dict[Modality, Volume]:
        """Return a slice `(contrast, x, y)` by contrast, as z-scores one voxel thick, exactly 0 outside the brain.

        What lies beyond the largest connected bright region is outside the brain.

        Raises:
            SpecError: The slice has another shape, or holds NaN or infinity.
        """
        contrasts, spec = self.contrasts_of(images), self.spec
        image = self.checked(images, (len(contrasts), spec.size, spec.size))
        bright = image.max(axis=0) > DARK
        regions, count = ndimage.label(bright)
        if count > 1:
            bright = regions == 1 + np.argmax(np.bincount(regions.ravel())[1:])
        inside = ndimage.binary_fill_holes(bright)
        scores = (np.float32(spec.span) * np.clip(image, DARKEST, 1) * inside).astype(np.float32)
        axis, grid = AXES[spec.plane], slice_geometry(spec, self.knowledge.geometry)
        pairs = zip(contrasts, scores, strict=True)
        return {modality: Volume(np.expand_dims(values, axis), grid, modality) for modality, values in pairs}

    def contrasts_of(self, images: np.ndarray) -> tuple[Modality, ...]:  # noqa: ARG002 - for slices that may show any one of them
        """Contrasts that a slice shows, in the order of its channels: all."""
        return self.knowledge.modalities
