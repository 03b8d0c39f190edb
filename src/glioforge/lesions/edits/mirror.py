"""Mirror the lesion into the other hemisphere (Guo et al. 2020).

The plane is found in the map (`midline`) and kept in the record.
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from glioforge.lesions import EDITS, EditContext, EditSpec, Graft


@final
class MirrorSpec(EditSpec):
    """Settings of a reflection."""

    kind: Literal["mirror"] = "mirror"
    """Name of the edit."""
    most_shift_mm: float = 20.0
    """How far from its mirror image the lesion may be moved to find a valid place."""


@EDITS.register(MirrorSpec)
@final
@dataclass(frozen=True)
class Mirror:
    """Mirror the lesion; record: `offset` in voxels from the exact mirror image."""

    spec: MirrorSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Find a valid place at the mirror image or near it."""
        image = _mirrored(Graft.of(context.lesion).outline, context)
        return {"offset": context.offset_near(image, self.spec.most_shift_mm, self.spec.placement, rng)}

    def changed(self, context: EditContext) -> Graft:
        """Mirror the lesion across the plane."""
        return _mirrored(Graft.of(context.lesion), context)


def _mirrored(graft: Graft, context: EditContext) -> Graft:
    """The lesion's graft on the other side of the plane."""
    lesion, plane = context.lesion, context.plane
    normal, spacing = np.array(plane.normal), np.array(lesion.spacing)
    x, y, z = lesion.centre
    centre = np.array([x, y, z]) * spacing
    target = (centre - 2 * normal * (normal @ centre - plane.offset)) / spacing
    i, j, k = (float(t) for t in target)
    reflection = np.eye(3) - 2 * np.outer(normal, normal)
    return graft.mapped(reflection, (x, y, z), (i, j, k), lesion.spacing)
