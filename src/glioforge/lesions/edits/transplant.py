"""Replace the lesion by that of another subject (Guo et al. 2020)."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from glioforge.lesions import EDITS, EditContext, EditSpec, LesionPatch


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

    spec: TransplantSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw donor and place; raises `EditError` without donors, lesion or valid place."""
        near = self.spec.most_shift_mm if self.spec.place == "same" else None
        return context.donated(self.spec.placement, rng, replaced=context.lesion, near_mm=near)

    def changed(self, context: EditContext) -> LesionPatch:
        """Return the donor's lesion."""
        return context.donor_lesion()
