"""What every lesion edit shares: registry, spec, and what is handed in from outside.

An edit is made of a spec and of `Sources`.  `draw` reads the spec; `apply`
reads nothing but the record, so that a record replays under any spec.

Common entries of a record
--------------------------
part          rank of the lesion part that is edited, null for all of it
fill, plane   source of the tissue under the lesion, and the mid-sagittal plane
mass_effect   its parameters, or null
limits        largest share of the lesion that may break each rule of `ground.RULES`
subjects      people behind donor, atlas and prior, sorted
atlas, donor, prior   names of what was handed in, where it was used
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, final, runtime_checkable

import numpy as np

from glioforge.config.registry import Registry
from glioforge.config.spec import Spec
from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap, LabelVoxels
from glioforge.core.protocols import EditRecord, LesionEdit
from glioforge.lesions.cutout import Cutout, cut, part_volumes_mm3, require_complete
from glioforge.lesions.fill import Filling, TissueAtlas, healed
from glioforge.lesions.ground import Ground
from glioforge.lesions.mass_effect import MassEffectSpec
from glioforge.lesions.midline import Plane, midsagittal_plane
from glioforge.lesions.placement import PlacementSpec
from glioforge.lesions.prior import Prior

EDITS: Registry[LesionEdit] = Registry("edit", "glioforge.lesions.edits")
"""Every edit, one file each in `lesions/edits/`."""

Range = tuple[float, float]


class EditSpec(Spec):
    """Settings that every edit has."""

    part: Literal["all", "largest", "random"] = "all"
    """Which lesion is edited: all of it together, its largest part, or a part drawn by volume."""
    fill: Filling = "mirror"
    """What lies where the lesion was: the other hemisphere, an atlas handed in, or the nearest tissue."""
    mass_effect: MassEffectSpec | None = None
    """How growth displaces tissue; none leaves the anatomy as it is."""
    placement: PlacementSpec = PlacementSpec()
    """What makes a place valid."""


@final
@dataclass(frozen=True, eq=False)
class Donor:
    """A lesion of another case, and whose it is."""

    case_id: str
    subjects: tuple[str, ...]
    lesion: Cutout


@runtime_checkable
class DonorSource(Protocol):
    """Hands lesions of other cases in, by the case's id; must hold training subjects only."""

    @property
    def case_ids(self) -> tuple[str, ...]:
        """Cases that can be had, in a fixed order."""
        ...

    def donor(self, case_id: str) -> Donor:
        """The lesion of a case; raises `EditError` if there is none."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Sources:
    """What edits may draw on beside the map itself; all of it optional."""

    donors: DonorSource | None = None
    atlas: TissueAtlas | None = None
    prior: Prior | None = None


NOTHING = Sources()
"""Neither donors nor atlas nor prior."""


@final
@dataclass(frozen=True, eq=False)
class Theatre:
    """A map laid open for one edit: the lesion that is edited and the plane of symmetry.

    Args:
        labels: The map.
        lesion: The lesion that is edited; none in a healthy brain.
        plane: Mid-sagittal plane.
        values: The common entries of the record.
    """

    labels: LabelMap
    lesion: Cutout | None
    plane: Plane
    values: Mapping[str, Any]

    @property
    def target(self) -> Cutout:
        """The lesion that is edited.

        Raises:
            EditError: There is none.
        """
        if self.lesion is None:
            raise EditError("no lesion in the label map", "at least one lesion voxel", "insert one first")
        return self.lesion

    def ground(self, spec: EditSpec, lesion: Cutout) -> Ground:
        """Ground on which a lesion (the edited one, changed, or a donor's) is placed; the edited one leaves it."""
        return Ground.of(self.labels, self.plane, moving=self.lesion, gap_mm=spec.placement.gap_mm, phase=lesion.start)

    def record(self, kind: str, **values: Any) -> EditRecord:  # noqa: ANN401 - plain JSON
        """Record of an edit with the common entries."""
        return EditRecord(kind, {**self.values, **values})


def open_for(labels: LabelMap, spec: EditSpec, sources: Sources, rng: np.random.Generator) -> Theatre:
    """Choose the lesion and find the plane of symmetry.

    Raises:
        LabelError: The map is not complete.
        EditError: An atlas or a prior is asked for and absent.
    """
    require_complete(labels)
    part = draw_part(labels, spec.part, rng)
    volumes = bool(labels.lesion.any())
    plane = midsagittal_plane(labels)
    values: dict[str, Any] = {
        "part": part,
        "fill": spec.fill,
        "plane": plane.to_json(),
        "mass_effect": None if spec.mass_effect is None else spec.mass_effect.model_dump(),
        "limits": spec.placement.limits(),
        "subjects": list(_subjects(spec, sources)),
    }
    if spec.fill == "atlas" and sources.atlas is not None:
        values["atlas"] = sources.atlas.name
    if spec.placement.prior == "given" and sources.prior is not None:
        values["prior"] = sources.prior.name
    return Theatre(labels, cut(labels, part) if volumes else None, plane, values)


def draw_part(labels: LabelMap, choice: Literal["all", "largest", "random"], rng: np.random.Generator) -> int | None:
    """Rank of the lesion part to edit; none for all of it, or without lesion."""
    if choice == "all":
        return None
    volumes = np.array(part_volumes_mm3(labels))
    if volumes.size == 0:
        return None
    return 0 if choice == "largest" else int(rng.choice(volumes.size, p=volumes / volumes.sum()))


def uniform(rng: np.random.Generator, bounds: Range) -> float:
    """A number between two bounds, rounded so that a record holds it exactly.

    Example:
        >>> uniform(np.random.default_rng(0), (2.0, 2.0))
        2.0
    """
    return round(float(rng.uniform(*bounds)), 6)


def recorded_lesion(labels: LabelMap, record: EditRecord) -> Cutout:
    """The lesion that a record edits."""
    return cut(labels, record.values["part"])


def recorded_base(labels: LabelMap, lesion: Cutout, record: EditRecord, sources: Sources) -> LabelVoxels:
    """Voxels with tissue in place of a lesion, filled as the record says.

    Raises:
        EditError: The record names an atlas that was not handed in.
    """
    named = record.values.get("atlas")
    if named is not None and (sources.atlas is None or sources.atlas.name != named):
        raise EditError(f"a record filled from atlas {named!r}", "that atlas", "hand it in", record.kind)
    return healed(labels, lesion, record.values["fill"], Plane.from_json(record.values["plane"]), sources.atlas)


def recorded_mass_effect(record: EditRecord) -> MassEffectSpec | None:
    """The mass effect that a record asks for."""
    values = record.values["mass_effect"]
    return None if values is None else MassEffectSpec(**values)


def _subjects(spec: EditSpec, sources: Sources) -> tuple[str, ...]:
    """People behind atlas and prior, as far as the spec uses them."""
    atlas = sources.atlas.subjects if spec.fill == "atlas" and sources.atlas else ()
    prior = sources.prior.subjects if spec.placement.prior == "given" and sources.prior else ()
    return tuple(sorted({*atlas, *prior}))
