"""Put the lesion of another subject into a brain, healthy or not (Shin et al. 2018, arXiv:1807.10225).

Lesions that are there already stay, so that several make a multifocal case.
"""

from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

from glioforge.core.labels import LabelMap
from glioforge.core.protocols import EditRecord
from glioforge.lesions.base import EDITS, NOTHING, EditSpec, Sources, Theatre, open_for, recorded_mass_effect
from glioforge.lesions.donor import donor_at, recorded_donor
from glioforge.lesions.implant import implant
from glioforge.lesions.mass_effect import MassEffectSpec


@final
class InsertSpec(EditSpec):
    """Settings of an insertion."""

    kind: Literal["insert"] = "insert"
    """Name of the edit."""
    mass_effect: MassEffectSpec | None = MassEffectSpec()
    """How the new lesion displaces tissue."""


@EDITS.register(InsertSpec)
@final
@dataclass(frozen=True)
class Insert:
    """Add a donor's lesion; record: `donor`, `donor_digest`, `start` of its box in voxels."""

    spec: InsertSpec = field(default_factory=InsertSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw donor and place; raises `EditError` without donors or valid place."""
        opened = open_for(labels, self.spec, self.sources, rng)
        theatre = Theatre(labels, None, opened.plane, opened.values)
        return theatre.record("insert", **donor_at(theatre, self.spec, self.sources, None, rng))

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Put the donor's lesion in."""
        donated = recorded_donor(record, self.sources, labels.geometry)
        return implant(labels, labels.voxels.copy(), donated, recorded_mass_effect(record))
