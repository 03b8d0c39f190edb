"""Mirror the lesion into the other hemisphere (Guo et al. 2020).

The plane is found in the map (`midline`) and kept in the record.
"""

from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

from glioforge.core.labels import LabelMap
from glioforge.core.protocols import EditRecord
from glioforge.lesions.base import (
    EDITS,
    NOTHING,
    EditSpec,
    Sources,
    open_for,
    recorded_base,
    recorded_lesion,
    recorded_mass_effect,
)
from glioforge.lesions.cutout import Cutout
from glioforge.lesions.graft import Graft
from glioforge.lesions.implant import implant
from glioforge.lesions.midline import Plane
from glioforge.lesions.placement import draw_near


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

    spec: MirrorSpec = field(default_factory=MirrorSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Find a valid place at the mirror image or near it; raises `EditError` if there is none."""
        theatre = open_for(labels, self.spec, self.sources, rng)
        lesion = theatre.target
        image = mirrored(lesion, theatre.plane).free()
        offset = draw_near(theatre.ground(self.spec, image), image, self.spec.placement, self.spec.most_shift_mm, rng)
        return theatre.record("mirror", offset=list(offset))

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Mirror the lesion across the recorded plane."""
        lesion = recorded_lesion(labels, record)
        base = recorded_base(labels, lesion, record, self.sources)
        i, j, k = record.values["offset"]
        graft = mirrored(lesion, Plane.from_json(record.values["plane"])).moved((i, j, k))
        return implant(labels, base, graft, recorded_mass_effect(record))


def mirrored(lesion: Cutout, plane: Plane) -> Graft:
    """A lesion's graft on the other side of a plane."""
    normal, spacing = np.array(plane.normal), np.array(lesion.spacing)
    x, y, z = lesion.centre
    centre = np.array([x, y, z]) * spacing
    target = (centre - 2 * normal * (normal @ centre - plane.offset)) / spacing
    i, j, k = (float(t) for t in target)
    reflection = np.eye(3) - 2 * np.outer(normal, normal)
    return Graft.of(lesion).mapped(reflection, (x, y, z), (i, j, k), lesion.spacing)
