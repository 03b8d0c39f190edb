"""Turn the lesion about its centre (Carver et al. 2021)."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float64

from glioforge.lesions import EDITS, EditContext, EditSpec, Graft, LesionPatch, PlacementSpec, uniform


@final
class RotateSpec(EditSpec):
    """Settings of a turn."""

    kind: Literal["rotate"] = "rotate"
    """Name of the edit."""
    angle_deg: tuple[float, float] = (10.0, 60.0)
    """Smallest and largest angle; the axis is drawn evenly over the sphere."""
    placement: PlacementSpec = PlacementSpec(outside_share=0.08, ventricle_share=0.1)
    """Placement constraints; those that the lesion violates already are relaxed to its current values."""
    most_shift_mm: float = 12.0
    """How far the turned lesion may be moved to find a valid place."""


@EDITS.register(RotateSpec)
@final
@dataclass(frozen=True)
class Rotate:
    """Turn the lesion; record: `axis` (unit), `angle_deg`, `offset` in voxels."""

    spec: RotateSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw axis and angle, and find a valid place near."""
        angle = uniform(rng, self.spec.angle_deg)
        direction = rng.normal(size=3)
        axis = [round(float(a), 6) for a in direction / np.linalg.norm(direction)]
        offset = [0, 0, 0]
        lesion = context.lesion
        if angle:
            turned = rotated(Graft.of(lesion).outline, lesion, axis, angle)
            offset = context.offset_near(turned, self.spec.most_shift_mm, self.spec.placement, rng, lenient=True)
        return {"axis": axis, "angle_deg": angle, "offset": offset}

    def changed(self, context: EditContext) -> LesionPatch | Graft:
        """Turn the lesion; an angle of 0 leaves it as it is."""
        lesion, angle = context.lesion, float(context.values["angle_deg"])
        return rotated(Graft.of(lesion), lesion, context.values["axis"], angle) if angle else lesion


def rotated(graft: Graft, lesion: LesionPatch, axis: list[float], angle_deg: float) -> Graft:
    """Return a lesion's graft, turned about its centre."""
    return graft.mapped(_rotation(axis, angle_deg), lesion.centre, lesion.centre, lesion.spacing)


def _rotation(axis: list[float], angle_deg: float) -> Float64[np.ndarray, "3 3"]:
    """Rotation matrix by Rodrigues' formula."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(angle_deg)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
