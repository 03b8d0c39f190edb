"""What the file of an edit builds on: the registry, the settings that edits share, and what an edit gives.

An edit gives two functions: `draw` chooses its values, `changed` makes of a
context that holds them what the edit does.  `apply.Edit` does the rest.

Common values of a lesion edit's record
---------------------------------------
part          rank of the lesion part that is edited, null for all of it
fill, plane   source of the tissue under the lesion, and the mid-sagittal plane
mass_effect   its parameters, or null
limits        largest share of the lesion that may break each rule of `placement_map.RULES`
subjects      people behind the donor, sorted
"""

from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

from glioforge.config import Registry, Spec
from glioforge.core import LabelMap
from glioforge.lesions.context import EditContext
from glioforge.lesions.graft import Graft
from glioforge.lesions.inpaint import Filling
from glioforge.lesions.mass_effect import MassEffectSpec
from glioforge.lesions.patch import LesionPatch
from glioforge.lesions.placement import PlacementSpec

Changed: TypeAlias = LesionPatch | Graft | LabelMap | None
"""A lesion in place of the edited one (moved by `offset` where the values hold one), a whole map, or no lesion."""


@runtime_checkable
class Change(Protocol):
    """What the file of an edit gives; `changed` reads nothing but the context, so that a record replays."""

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw values, plain JSON, that suit the map; raises `EditError` if none do."""
        ...

    def changed(self, context: EditContext) -> Changed:
        """Return what the edit makes; `context.lesion` itself where it does nothing."""
        ...


EDITS: Registry[Change] = Registry("edit", "glioforge.lesions.edits")
"""Every edit, one file each in `lesions/edits/`."""


class EditSpec(Spec):
    """Settings that every edit of a lesion has."""

    part: Literal["all", "largest", "random"] = "all"
    """Which lesion is edited: all of it together, its largest part, or a part drawn by volume."""
    fill: Filling = "mirror"
    """What lies where the lesion was: the other hemisphere, or the nearest tissue."""
    mass_effect: MassEffectSpec | None = None
    """How growth displaces tissue; none leaves the anatomy as it is."""
    placement: PlacementSpec = PlacementSpec()
    """Placement constraints."""


def uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Draw a number between two bounds, rounded so that a record holds it exactly.

    Example:
        >>> uniform(np.random.default_rng(0), (2.0, 2.0))
        2.0
    """
    return round(float(rng.uniform(*bounds)), 6)
