"""Enlarge or shrink the lesion by a factor of its volume (Shin et al. 2018, arXiv:1807.10225).

The nested signed distances are scaled about the lesion's centre, and the voxels
of highest distance are taken until the asked volume is met: sub-regions keep
their shares, order and shape, and where the brain ends the lesion gives way.
"""

from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

from glioforge.core.errors import EditError
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
)
from glioforge.lesions.cutout import Cutout
from glioforge.lesions.graft import Graft
from glioforge.lesions.ground import Ground
from glioforge.lesions.implant import implant
from glioforge.lesions.mass_effect import MassEffectSpec
from glioforge.lesions.placement import PlacementSpec, broken_rule


@final
class ScaleSpec(EditSpec):
    """Settings of a change in size."""

    kind: Literal["scale"] = "scale"
    """Name of the edit."""
    volume_factor: Range = (0.5, 2.0)
    """Smallest and largest factor, between 0.1 and 8; drawn evenly on a logarithmic scale."""
    mass_effect: MassEffectSpec | None = MassEffectSpec()
    """How growth displaces tissue."""
    placement: PlacementSpec = PlacementSpec(outside_share=0.2, midline_share=0.1, ventricle_share=0.15)
    """What makes the grown lesion valid; what it breaks already it may go on breaking."""


@EDITS.register(ScaleSpec)
@final
@dataclass(frozen=True)
class Scale:
    """Change the volume of the lesion; record: `volume_factor`."""

    spec: ScaleSpec = field(default_factory=ScaleSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw a factor that leaves the lesion in a valid place.

        Raises:
            EditError: The range is impossible, or no drawn factor is valid.
        """
        low, high = self.spec.volume_factor
        if not 0.1 <= low <= high <= 8:
            raise EditError(f"volume factors {low} to {high}", "a rising range within 0.1 to 8")
        theatre = open_for(labels, self.spec, self.sources, rng)
        lesion = theatre.target
        spec = self.spec.placement
        ground = Ground.of(labels, theatre.plane, moving=lesion, gap_mm=0.0)
        limits = spec.limits(ground.shares(lesion))
        graft, why = Graft.of(lesion).outline, ""
        for _ in range(spec.attempts):
            factor = round(float(np.exp(rng.uniform(np.log(low), np.log(high)))), 6)
            why = "" if factor <= 1 else broken_rule(ground, scaled(graft, lesion, factor).free(), limits) or ""
            if not why:
                return theatre.record("scale", volume_factor=factor)
        raise EditError(f"no valid size in {spec.attempts} tries, at the last {why}", "one", "widen range or limits")

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Scale the lesion; a factor of 1 gives the map back."""
        factor = float(record.values["volume_factor"])
        lesion = recorded_lesion(labels, record)
        if factor == 1:
            return labels
        base = recorded_base(labels, lesion, record, self.sources)
        return implant(labels, base, scaled(Graft.of(lesion), lesion, factor), recorded_mass_effect(record))


def scaled(graft: Graft, lesion: Cutout, factor: float) -> Graft:
    """A lesion's graft, scaled about its centre to a multiple of its volume."""
    linear = np.eye(3) * factor ** (1 / 3)
    return graft.mapped(linear, lesion.centre, lesion.centre, lesion.spacing)
