"""Turn the lesion about its centre (Carver et al. 2021)."""

from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
from jaxtyping import Float64

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
from glioforge.lesions.graft import Graft
from glioforge.lesions.implant import implant
from glioforge.lesions.placement import PlacementSpec, draw_near


@final
class RotateSpec(EditSpec):
    """Settings of a turn."""

    kind: Literal["rotate"] = "rotate"
    """Name of the edit."""
    angle_deg: Range = (10.0, 60.0)
    """Smallest and largest angle; the axis is drawn evenly over the sphere."""
    placement: PlacementSpec = PlacementSpec(outside_share=0.08, ventricle_share=0.1)
    """What makes the changed lesion valid; what it breaks already it may go on breaking."""
    most_shift_mm: float = 12.0
    """How far the turned lesion may be moved to find a valid place."""


@EDITS.register(RotateSpec)
@final
@dataclass(frozen=True)
class Rotate:
    """Turn the lesion; record: `axis` (unit), `angle_deg`, `offset` in voxels."""

    spec: RotateSpec = field(default_factory=RotateSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw axis and angle, and find a valid place; raises `EditError` if there is none near."""
        spec = self.spec
        theatre = open_for(labels, spec, self.sources, rng)
        angle = uniform(rng, spec.angle_deg)
        direction = rng.normal(size=3)
        axis = [round(float(a), 6) for a in direction / np.linalg.norm(direction)]
        lesion = theatre.target
        offset = [0, 0, 0]
        if angle:
            turned = rotated(lesion, axis, angle).free()
            ground = theatre.ground(spec, turned)
            floor = ground.shares(lesion)
            offset = list(draw_near(ground, turned, spec.placement, spec.most_shift_mm, rng, floor=floor))
        return theatre.record("rotate", axis=axis, angle_deg=angle, offset=offset)

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Turn the lesion; an angle of 0 gives the map back."""
        axis, angle = record.values["axis"], float(record.values["angle_deg"])
        lesion = recorded_lesion(labels, record)
        if angle == 0:
            return labels
        base = recorded_base(labels, lesion, record, self.sources)
        i, j, k = record.values["offset"]
        return implant(labels, base, rotated(lesion, axis, angle).moved((i, j, k)), recorded_mass_effect(record))


def rotated(lesion: Cutout, axis: list[float], angle_deg: float) -> Graft:
    """A lesion's graft, turned about its centre."""
    return Graft.of(lesion).mapped(_rotation(axis, angle_deg), lesion.centre, lesion.centre, lesion.spacing)


def _rotation(axis: list[float], angle_deg: float) -> Float64[np.ndarray, "3 3"]:
    """Rotation matrix by Rodrigues' formula."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(angle_deg)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
