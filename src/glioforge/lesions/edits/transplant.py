"""Replace the lesion by that of another subject (Guo et al. 2020)."""

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
from glioforge.lesions.donor import donor_at, recorded_donor
from glioforge.lesions.implant import implant


@final
class TransplantSpec(EditSpec):
    """Settings of a replacement."""

    kind: Literal["transplant"] = "transplant"
    """Name of the edit."""
    place: Literal["same", "anywhere"] = "same"
    """Where the donor's lesion goes: near the one it replaces, or to any valid place."""
    most_shift_mm: float = 30.0
    """For `same`: how far from the old centre it may be moved to find a valid place."""


@EDITS.register(TransplantSpec)
@final
@dataclass(frozen=True)
class Transplant:
    """Replace the lesion; record: `donor`, `donor_digest`, `start` of its box in voxels."""

    spec: TransplantSpec = field(default_factory=TransplantSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw donor and place; raises `EditError` without donors, lesion or valid place."""
        theatre = open_for(labels, self.spec, self.sources, rng)
        _ = theatre.target
        near = self.spec.most_shift_mm if self.spec.place == "same" else None
        return theatre.record("transplant", **donor_at(theatre, self.spec, self.sources, near, rng))

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Take the own lesion out and put the donor's in."""
        lesion = recorded_lesion(labels, record)
        base = recorded_base(labels, lesion, record, self.sources)
        donated = recorded_donor(record, self.sources, labels.geometry)
        return implant(labels, base, donated, recorded_mass_effect(record))
