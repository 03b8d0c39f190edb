"""Shift the lesion by so many millimetres to another valid place (Shin et al. 2018, arXiv:1807.10225)."""

from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

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
from glioforge.lesions.implant import implant
from glioforge.lesions.placement import Window, draw_offset


@final
class TranslateSpec(EditSpec):
    """Settings of a shift."""

    kind: Literal["translate"] = "translate"
    """Name of the edit."""
    distance_mm: Range = (5.0, 40.0)
    """Shortest and longest way; the direction is free."""


@EDITS.register(TranslateSpec)
@final
@dataclass(frozen=True)
class Translate:
    """Shift the lesion; record: `offset` in voxels."""

    spec: TranslateSpec = field(default_factory=TranslateSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw a valid place within reach; raises `EditError` if there is none."""
        spec = self.spec
        theatre = open_for(labels, spec, self.sources, rng)
        lesion = theatre.target
        if spec.distance_mm[1] == 0:
            return theatre.record("translate", offset=[0, 0, 0])
        ground = theatre.ground(spec, lesion)
        window = Window(*spec.distance_mm)
        offset = draw_offset(ground, lesion, spec.placement, window, rng, prior=self.sources.prior)
        return theatre.record("translate", offset=list(offset))

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Move the lesion; an offset of 0 gives the map back."""
        i, j, k = record.values["offset"]
        lesion = recorded_lesion(labels, record)
        if not (i or j or k):
            return labels
        base = recorded_base(labels, lesion, record, self.sources)
        return implant(labels, base, lesion.moved((i, j, k)), recorded_mass_effect(record))
