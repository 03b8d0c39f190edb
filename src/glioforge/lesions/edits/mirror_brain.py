"""Mirror the whole brain with its lesion across the mid-sagittal plane (Shin et al. 2018 alter "the brain label").

The map is reversed along the axis of the grid that runs from left to right, at
the mid-sagittal plane rounded to half a voxel: no label is resampled, and a head
that is tilted to one side becomes one tilted to the other.
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from glioforge.config import Spec
from glioforge.core import LabelMap, bounding_box
from glioforge.lesions import EDITS, EditContext


@final
class MirrorBrainSpec(Spec):
    """Settings of a reflection of the whole map; there are none."""

    kind: Literal["mirror_brain"] = "mirror_brain"
    """Name of the edit."""


@EDITS.register(MirrorBrainSpec)
@final
@dataclass(frozen=True)
class MirrorBrain:
    """Mirror the map; record: `twins`, the sum of the indices of a voxel and its mirror image from left to right."""

    spec: MirrorBrainSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG002 - nothing is drawn
        """Find the plane, moved as far as the mirrored brain needs to stay within the grid."""
        labels, plane = context.labels, context.plane
        spacing, axis = np.array(labels.geometry.spacing), labels.geometry.world_axes.index(0)
        centre = np.array([index.mean() for index in np.nonzero(labels.voxels)]) * spacing
        away = float(plane.side_of(centre[:, None])[0]) / plane.normal[axis]
        twins = round(2 * (centre[axis] - away) / spacing[axis])
        brain = bounding_box(labels.foreground)
        if brain is not None:
            side, size = brain[axis], labels.geometry.shape[axis]
            twins = int(np.clip(twins, side.stop - 1, size - 1 + side.start))
        return {"twins": twins}

    def changed(self, context: EditContext) -> LabelMap:
        """Mirror the map; a second time gives it back."""
        labels = context.labels
        axis = labels.geometry.world_axes.index(0)
        size = labels.geometry.shape[axis]
        sources = int(context.values["twins"]) - np.arange(size)
        on_grid = (sources >= 0) & (sources < size)
        voxels = np.take(labels.voxels, np.clip(sources, 0, size - 1), axis=axis)
        np.moveaxis(voxels, axis, 0)[~on_grid] = 0
        return labels.with_voxels(voxels)
