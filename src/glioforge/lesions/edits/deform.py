"""Change the lesion's shape by a smooth random displacement (after Carver et al. 2021).

A coarse grid of random vectors over the lesion's box, interpolated by cubic
splines and weakened until it does not fold, moves the nested signed distances;
volumes of all sub-regions stay as they are.
"""

from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
from scipy import ndimage

from glioforge.core.labels import LabelMap
from glioforge.core.protocols import EditRecord
from glioforge.lesions.base import (
    EDITS,
    NOTHING,
    EditSpec,
    Range,
    Sources,
    open_for,
    recorded_base,
    recorded_lesion,
    recorded_mass_effect,
    uniform,
)
from glioforge.lesions.cutout import Cutout
from glioforge.lesions.displacement import Displacement
from glioforge.lesions.graft import Graft
from glioforge.lesions.implant import implant
from glioforge.lesions.placement import PlacementSpec, draw_near

_GRID = 4
_LATTICE = 13
_DEFORM_MARGIN_MM = 12.0


@final
class DeformSpec(EditSpec):
    """Settings of a change in shape."""

    kind: Literal["deform"] = "deform"
    """Name of the edit."""
    amplitude_mm: Range = (2.0, 6.0)
    """Smallest and largest standard deviation of the displacement along each axis."""
    placement: PlacementSpec = PlacementSpec(outside_share=0.08, ventricle_share=0.1)
    """What makes the changed lesion valid; what it breaks already it may go on breaking."""
    most_shift_mm: float = 8.0
    """How far the deformed lesion may be moved to find a valid place."""


@EDITS.register(DeformSpec)
@final
@dataclass(frozen=True)
class Deform:
    """Deform the lesion; record: `vectors` in mm on a 4 x 4 x 4 grid over its box, `offset` in voxels."""

    spec: DeformSpec = field(default_factory=DeformSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw the displacement, and find a valid place; raises `EditError` if there is none near."""
        spec = self.spec
        theatre = open_for(labels, spec, self.sources, rng)
        amplitude = uniform(rng, spec.amplitude_mm)
        vectors = np.round(amplitude * rng.normal(size=(3, _GRID, _GRID, _GRID)), 2)
        lesion = theatre.target
        offset = [0, 0, 0]
        if vectors.any():
            changed = deformed(lesion, vectors).free()
            ground = theatre.ground(spec, changed)
            floor = ground.shares(lesion)
            offset = list(draw_near(ground, changed, spec.placement, spec.most_shift_mm, rng, floor=floor))
        return theatre.record("deform", vectors=vectors.tolist(), offset=offset)

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Deform the lesion; vectors of 0 give the map back."""
        vectors = np.array(record.values["vectors"])
        lesion = recorded_lesion(labels, record)
        if not vectors.any():
            return labels
        base = recorded_base(labels, lesion, record, self.sources)
        i, j, k = record.values["offset"]
        return implant(labels, base, deformed(lesion, vectors).moved((i, j, k)), recorded_mass_effect(record))


def deformed(lesion: Cutout, vectors: np.ndarray) -> Graft:
    """A lesion's graft under the displacement of a grid of vectors in mm."""
    graft = Graft.of(lesion, _DEFORM_MARGIN_MM)
    shape = graft.fields.shape[1:]
    lattice = tuple(np.linspace(0, n - 1, _LATTICE) for n in shape)
    fine = np.stack([ndimage.zoom(v, _LATTICE / _GRID, order=3, mode="nearest") for v in vectors])
    return graft.warped(Displacement(fine, lattice, lesion.spacing).unfolded())
