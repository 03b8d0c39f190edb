"""What the file of an edit builds on, and what every edit does around the change that its file describes.

An edit gives two functions: `draw` chooses its values, `changed` makes of a
context that holds them what the edit does.  `Edit` does the rest.

Common values of a lesion edit's record
---------------------------------------
part          rank of the lesion part that is edited, null for all of it
fill, plane   source of the tissue under the lesion, and the mid-sagittal plane
mass_effect   its parameters, or null
limits        largest share of the lesion that may break each rule of `placement_map.RULES`
subjects      people behind the donor, sorted
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, cast, final, runtime_checkable

import numpy as np

from glioforge.config import Registry, Spec
from glioforge.core import EditRecord, LabelMap, SpecError
from glioforge.lesions.bank import DonorSource
from glioforge.lesions.context import EditContext
from glioforge.lesions.graft import Graft
from glioforge.lesions.inpaint import Filling
from glioforge.lesions.mass_effect import MassEffectSpec
from glioforge.lesions.midline import midsagittal_plane
from glioforge.lesions.patch import LesionPatch, part_volumes_mm3, require_complete
from glioforge.lesions.placement import PlacementSpec

Changed: TypeAlias = LesionPatch | Graft | LabelMap
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


@final
@dataclass(frozen=True)
class Edit:
    """One edit of label maps; a `LesionEdit`.

    `draw` reads the spec; `apply` reads nothing but the record, so that a record replays under any spec.

    Args:
        spec: Settings of a registered edit.
        donors: Lesions of other cases, for edits that take some.
    """

    spec: Spec
    donors: DonorSource | None = None

    @classmethod
    def of_kind(cls, kind: str, donors: DonorSource | None = None) -> "Edit":
        """Edit of a kind with its default settings, to apply records; raises `SpecError` for an unknown kind."""
        return cls(EDITS.spec_class(kind)(), donors)

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw the parameters that suit a map.

        Raises:
            EditError: No parameters are valid, or donors are needed and absent.
            LabelError: The map is not complete.
        """
        require_complete(labels)
        common = _common(labels, self.spec, rng) if isinstance(self.spec, EditSpec) else {}
        drawn = self._change.draw(EditContext(labels, common, self.donors), rng)
        return EditRecord(cast("Any", self.spec).kind, {**common, **drawn})

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Apply a drawn edit: take the lesion out, inpaint, put the changed one in; one that does nothing is no edit.

        Raises:
            EditError: The map has no such lesion, the changed one finds no room, or the record's donor is not at hand.
            LabelError: The map is not complete.
            SpecError: The edit's own file returns something else than a lesion or a map.
        """
        require_complete(labels)
        context = EditContext(labels, record.values, self.donors)
        changed = self._change.changed(context)
        if isinstance(changed, LabelMap):
            return changed
        if not isinstance(changed, LesionPatch | Graft):
            raise SpecError(
                f"`changed` of edit {cast('Any', self.spec).kind!r} returned {type(changed).__name__}",
                "a Graft, a LesionPatch or a LabelMap",
                "see docs/how-to/add-an-edit.md",
            )
        i, j, k = record.values.get("offset", (0, 0, 0))
        if changed is context.lesion and not (i or j or k):
            return labels
        return context.with_lesion(changed.moved((i, j, k)), context.without_lesion())

    @property
    def _change(self) -> Change:
        """What the file of the edit gives."""
        part: Any = EDITS.part_for(self.spec)
        change: Change = part(self.spec)
        return change


def _common(labels: LabelMap, spec: EditSpec, rng: np.random.Generator) -> dict[str, Any]:
    """Common values of a lesion edit's record."""
    return {
        "part": draw_part(labels, spec.part, rng),
        "fill": spec.fill,
        "plane": midsagittal_plane(labels).to_json(),
        "mass_effect": None if spec.mass_effect is None else spec.mass_effect.model_dump(),
        "limits": spec.placement.limits(),
        "subjects": [],
    }


def draw_part(labels: LabelMap, choice: Literal["all", "largest", "random"], rng: np.random.Generator) -> int | None:
    """Rank of the lesion part to edit; none for all of it, or without lesion."""
    if choice == "all":
        return None
    volumes = np.array(part_volumes_mm3(labels))
    if volumes.size == 0:
        return None
    return 0 if choice == "largest" else int(rng.choice(volumes.size, p=volumes / volumes.sum()))
