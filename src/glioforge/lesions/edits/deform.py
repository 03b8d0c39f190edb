"""Change the lesion's shape by a smooth random displacement (after Carver et al. 2021).

A coarse grid of random vectors over the lesion's box, interpolated by cubic
splines and weakened until it does not fold, moves the nested signed distances;
volumes of all sub-regions stay as they are.
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from scipy import ndimage

from glioforge.lesions import EDITS, Displacement, EditContext, EditSpec, Graft, LesionPatch, PlacementSpec, uniform

_GRID = 4
_LATTICE = 13
_MARGIN_MM = 12.0


@final
class DeformSpec(EditSpec):
    """Settings of a change in shape."""

    kind: Literal["deform"] = "deform"
    """Name of the edit."""
    amplitude_mm: tuple[float, float] = (2.0, 6.0)
    """Smallest and largest standard deviation of the displacement along each axis."""
    placement: PlacementSpec = PlacementSpec(outside_share=0.08, ventricle_share=0.1)
    """Placement constraints; those that the lesion violates already are relaxed to its current values."""
    most_shift_mm: float = 8.0
    """How far the deformed lesion may be moved to find a valid place."""


@EDITS.register(DeformSpec)
@final
@dataclass(frozen=True)
class Deform:
    """Deform the lesion; record: `vectors` in mm on a 4 x 4 x 4 grid over its box, `offset` in voxels."""

    spec: DeformSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the displacement, and find a valid place near."""
        amplitude = uniform(rng, self.spec.amplitude_mm)
        vectors = np.round(amplitude * rng.normal(size=(3, _GRID, _GRID, _GRID)), 2)
        lesion, offset = context.lesion, [0, 0, 0]
        if vectors.any():
            bent = _deformed(Graft.of(lesion, _MARGIN_MM).outline, vectors)
            offset = context.offset_near(bent, self.spec.most_shift_mm, self.spec.placement, rng, lenient=True)
        return {"vectors": vectors.tolist(), "offset": offset}

    def changed(self, context: EditContext) -> LesionPatch | Graft:
        """Deform the lesion; vectors of 0 leave it as it is."""
        vectors = np.array(context.values["vectors"])
        return _deformed(Graft.of(context.lesion, _MARGIN_MM), vectors) if vectors.any() else context.lesion


def _deformed(graft: Graft, vectors: np.ndarray) -> Graft:
    """A graft under the displacement of a grid of vectors in mm over its box."""
    lattice = tuple(np.linspace(0, n - 1, _LATTICE) for n in graft.fields.shape[1:])
    fine = np.stack([ndimage.zoom(v, _LATTICE / _GRID, order=3, mode="nearest") for v in vectors])
    return graft.warped(Displacement(fine, lattice, graft.spacing).unfolded())
