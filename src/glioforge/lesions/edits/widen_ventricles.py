"""Widen or narrow the ventricles (Shin et al. 2018 alter "the brain label").

The border of the ventricles moves by a distance, and the tissue between it and
a reach is squeezed or stretched along the smoothed distance from them, evenly
along each line; a lesion there moves with it.  Towards the outline of the brain
both die away, so that the outline stays as it is; towards brainstem and
cerebellum, where the map names them, so that the fourth ventricle does too.
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from pydantic import Field

from glioforge.config import Spec
from glioforge.core import LabelMap
from glioforge.lesions import EDITS, EditContext, depth_mm, uniform, with_moved_border

_MOST_NARROWED = 0.5
_MOST_OF_REACH = 0.8


@final
class WidenVentriclesSpec(Spec):
    """Settings of wider or narrower ventricles."""

    kind: Literal["widen_ventricles"] = "widen_ventricles"
    """Name of the edit."""
    by_mm: tuple[float, float] = (-1.5, 4.0)
    """Smallest and largest way of the ventricles' border; negative narrows them."""
    reach_mm: float = Field(30.0, gt=0)
    """Distance from the ventricles beyond which nothing changes; the border moves by 0.8 of it at most."""


@EDITS.register(WidenVentriclesSpec)
@final
@dataclass(frozen=True)
class WidenVentricles:
    """Move the border of the ventricles; record: `by_mm`, `reach_mm`, `plane`."""

    spec: WidenVentriclesSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the way; it is shortened to half the depth of the ventricles, and where a class would vanish."""
        reach = self.spec.reach_mm
        by_mm = min(uniform(rng, self.spec.by_mm), _MOST_OF_REACH * reach)
        by_mm = max(by_mm, -_MOST_NARROWED * depth_mm(context.labels, context.plane))
        plane = context.plane.to_json()
        return context.strongest(
            self.changed, lambda share: {"by_mm": round(by_mm * share, 6), "reach_mm": reach, "plane": plane}
        )

    def changed(self, context: EditContext) -> LabelMap:
        """Move the border; a way of 0 gives the map back; raises `EditError` for a map without ventricles."""
        by_mm, reach = float(context.values["by_mm"]), float(context.values["reach_mm"])
        return with_moved_border(context.labels, context.plane, by_mm, reach)
