"""Put the lesion of another subject into a brain, healthy or not (Shin et al. 2018, arXiv:1807.10225).

Lesions that are there already stay, so that several make a multifocal case.
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from glioforge.core import LabelMap
from glioforge.lesions import EDITS, EditContext, EditSpec, MassEffectSpec


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

    spec: InsertSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw donor and place; raises `EditError` without donors or valid place."""
        return context.donated(self.spec.placement, rng)

    def changed(self, context: EditContext) -> LabelMap:
        """Put the donor's lesion in."""
        return context.with_lesion(context.donor_lesion())
