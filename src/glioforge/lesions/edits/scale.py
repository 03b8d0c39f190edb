"""Enlarge or shrink the lesion by a factor of its volume (Shin et al. 2018, arXiv:1807.10225).

The nested signed distances are scaled about the lesion's centre, and the voxels
of highest distance are taken until the asked volume is met: sub-regions keep
their shares, order and shape, and where the brain ends the lesion gives way.
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from glioforge.core import EditError
from glioforge.lesions import EDITS, EditContext, EditSpec, Graft, LesionPatch, MassEffectSpec, PlacementSpec


@final
class ScaleSpec(EditSpec):
    """Settings of a change in size."""

    kind: Literal["scale"] = "scale"
    """Name of the edit."""
    volume_factor: tuple[float, float] = (0.5, 2.0)
    """Smallest and largest factor, between 0.1 and 8; drawn evenly on a logarithmic scale."""
    mass_effect: MassEffectSpec | None = MassEffectSpec()
    """How growth displaces tissue."""
    placement: PlacementSpec = PlacementSpec(outside_share=0.2, midline_share=0.1, ventricle_share=0.15)
    """Placement constraints; those that the lesion violates already are relaxed to its current values."""


@EDITS.register(ScaleSpec)
@final
@dataclass(frozen=True)
class Scale:
    """Change the volume of the lesion; record: `volume_factor`."""

    spec: ScaleSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw a factor that leaves the lesion in a valid place; raises `EditError` for an impossible range."""
        low, high = self.spec.volume_factor
        if not 0.1 <= low <= high <= 8:
            raise EditError(f"volume factors {low} to {high}", "a rising range within 0.1 to 8")
        lesion, placement, why = context.lesion, self.spec.placement, ""
        allowed, outline = context.placement_map(lesion), Graft.of(lesion).outline
        limits = placement.limits(allowed.shares(lesion))
        for _ in range(placement.attempts):
            factor = round(float(np.exp(rng.uniform(np.log(low), np.log(high)))), 6)
            why = "" if factor <= 1 else allowed.broken_rule(scaled(outline, lesion, factor).free(), limits) or ""
            if not why:
                return {"volume_factor": factor}
        raise EditError(
            f"no valid size in {placement.attempts} tries, at the last {why}", "one", "widen range or limits"
        )

    def changed(self, context: EditContext) -> LesionPatch | Graft:
        """Scale the lesion; a factor of 1 leaves it as it is."""
        lesion, factor = context.lesion, float(context.values["volume_factor"])
        return lesion if factor == 1 else scaled(Graft.of(lesion), lesion, factor)


def scaled(graft: Graft, lesion: LesionPatch, factor: float) -> Graft:
    """Return a lesion's graft, scaled about its centre to a multiple of its volume."""
    linear = np.eye(3) * factor ** (1 / 3)
    return graft.mapped(linear, lesion.centre, lesion.centre, lesion.spacing)
