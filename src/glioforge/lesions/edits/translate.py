"""Shift the lesion by so many millimetres to another valid place (Shin et al. 2018, arXiv:1807.10225)."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from glioforge.lesions import EDITS, EditContext, EditSpec, LesionPatch


@final
class TranslateSpec(EditSpec):
    """Settings of a shift."""

    kind: Literal["translate"] = "translate"
    """Name of the edit."""
    distance_mm: tuple[float, float] = (5.0, 40.0)
    """Shortest and longest way; the direction is free."""


@EDITS.register(TranslateSpec)
@final
@dataclass(frozen=True)
class Translate:
    """Shift the lesion; record: `offset` in voxels."""

    spec: TranslateSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw a valid place within reach; a longest way of 0 stays where it is."""
        if self.spec.distance_mm[1] == 0:
            return {"offset": [0, 0, 0]}
        return {"offset": context.offset_within(self.spec.distance_mm, self.spec.placement, rng)}

    def changed(self, context: EditContext) -> LesionPatch:
        """Return the lesion as it is."""
        return context.lesion
