"""The context of an edit: the label map, the lesion being edited and the mid-sagittal plane."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from glioforge.core import EditError, LabelMap, LabelVoxels
from glioforge.lesions.bank import DonorSource, fitted, recorded_donor, require_donors
from glioforge.lesions.graft import Graft
from glioforge.lesions.inpaint import implant, inpainted
from glioforge.lesions.mass_effect import MassEffectSpec
from glioforge.lesions.midline import Plane, midsagittal_plane
from glioforge.lesions.patch import LesionPatch, cut
from glioforge.lesions.placement import PlacementSpec, Window, draw_near, draw_offset
from glioforge.lesions.placement_map import PlacementMap

_MOST_DONORS = 5
_HALVINGS = 6


@final
@dataclass(frozen=True, eq=False)
class EditContext:
    """A label map with the lesion being edited and the mid-sagittal plane.

    Args:
        labels: The map, complete.
        values: Values of the record: the common ones while it is drawn, all of them when it is applied.
        donors: Lesions of other cases, for edits that take some.
    """

    labels: LabelMap
    values: Mapping[str, Any]
    donors: DonorSource | None = None

    @cached_property
    def lesion(self) -> LesionPatch:
        """The lesion being edited.

        Raises:
            EditError: There is none.
        """
        return cut(self.labels, self.values.get("part"))

    @cached_property
    def plane(self) -> Plane:
        """Mid-sagittal plane: the recorded one, else that of the map."""
        recorded = self.values.get("plane")
        return midsagittal_plane(self.labels) if recorded is None else Plane.from_json(recorded)

    def placement_map(
        self, moving: LesionPatch | None, placed: LesionPatch | None = None, gap_mm: float = 0.0
    ) -> PlacementMap:
        """Return where a lesion may lie once `moving` has left, on a lattice that suits the lesion `placed`."""
        phase = (0, 0, 0) if placed is None else placed.start
        return PlacementMap.of(self.labels, self.plane, moving=moving, gap_mm=gap_mm, phase=phase)

    def offset_within(
        self, bounds_mm: tuple[float, float], placement: PlacementSpec, rng: np.random.Generator
    ) -> list[int]:
        """Draw an offset of the lesion, of a length within bounds, to a valid place; raises `EditError` without one."""
        allowed = self.placement_map(self.lesion, self.lesion, placement.gap_mm)
        return list(draw_offset(allowed, self.lesion, placement, Window(*bounds_mm), rng))

    def offset_near(
        self,
        changed: Graft,
        most_mm: float,
        placement: PlacementSpec,
        rng: np.random.Generator,
        *,
        lenient: bool = False,
    ) -> list[int]:
        """Draw an offset of a changed lesion to the nearest valid place.

        Args:
            changed: The lesion that takes the place of the edited one.
            most_mm: How far it may be moved.
            placement: Placement constraints.
            rng: Source of the draw.
            lenient: Relax constraints that the lesion violates already to its current values.

        Raises:
            EditError: No place near is valid.
        """
        placed = changed.outline.free()
        allowed = self.placement_map(self.lesion, placed, placement.gap_mm)
        floor = allowed.shares(self.lesion) if lenient else None
        return list(draw_near(allowed, placed, placement, most_mm, rng, floor=floor))

    def donated(
        self,
        placement: PlacementSpec,
        rng: np.random.Generator,
        *,
        replaced: LesionPatch | None = None,
        near_mm: float | None = None,
    ) -> dict[str, Any]:
        """Draw a donor and a valid place for its lesion.

        Args:
            placement: Placement constraints.
            rng: Source of the draws.
            replaced: The lesion that it replaces.
            near_mm: Largest distance from the centre of that lesion; anywhere without.

        Returns:
            Values for the record: `donor`, `donor_digest`, `subjects`, `start`.

        Raises:
            EditError: There are no donors, or the lesions of several found no valid place.
        """
        donors = require_donors(self.donors)
        order = rng.permutation(len(donors.case_ids))[:_MOST_DONORS]
        reason: EditError | None = None
        for number in order:
            donor = donors.donor(donors.case_ids[int(number)])
            lesion = fitted(donor.lesion, self.labels.geometry)
            try:
                start = self._start_of(lesion, placement, rng, replaced, near_mm)
            except EditError as error:
                reason = error
                continue
            subjects = sorted({*self.values["subjects"], *donor.subjects})
            return {
                "donor": donor.case_id,
                "donor_digest": donor.lesion.digest,
                "subjects": subjects,
                "start": start,
            }
        raise EditError(f"none of {len(order)} donors fits: {reason}", "a donor with a valid place", "add donors")

    def donor_lesion(self) -> LesionPatch:
        """Return the recorded donor's lesion where the record puts it; raises `EditError` if it is not at hand."""
        return recorded_donor(self.values, self.donors, self.labels.geometry)

    def without_lesion(self) -> LabelVoxels:
        """Return voxels with tissue in place of the lesion, inpainted as the record says."""
        return inpainted(self.labels, self.lesion, self.values["fill"], self.plane)

    def with_lesion(self, lesion: LesionPatch | Graft, base: LabelVoxels | None = None) -> LabelMap:
        """Return the map with a lesion implanted into `base`, or into its own voxels, with its mass effect."""
        recorded = self.values["mass_effect"]
        mass_effect = None if recorded is None else MassEffectSpec(**recorded)
        return implant(self.labels, self.labels.voxels.copy() if base is None else base, lesion, mass_effect)

    def strongest(
        self, changed: Callable[["EditContext"], LabelMap], values_of: Callable[[float], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the strongest values, each half as strong as the last, whose map keeps every class of this one.

        Args:
            changed: What the edit makes of a context that holds its values.
            values_of: Makes values of a share of the drawn strength.

        Raises:
            EditError: A class vanishes even at a sixty-fourth of the strength.
        """
        classes = set(np.unique(self.labels.voxels).tolist())
        for number in range(_HALVINGS + 1):
            values = values_of(0.5**number)
            after = changed(EditContext(self.labels, values, self.donors))
            if classes <= set(np.unique(after.voxels).tolist()):
                return values
        raise EditError("an edit that loses a class of the map", "all classes", "leave the case out")

    def _start_of(
        self,
        lesion: LesionPatch,
        placement: PlacementSpec,
        rng: np.random.Generator,
        replaced: LesionPatch | None,
        near_mm: float | None,
    ) -> list[int]:
        """First voxel of a valid place."""
        grid_centre = [n / 2 for n in self.labels.voxels.shape]
        centre = grid_centre if replaced is None or near_mm is None else replaced.centre
        shift = np.rint(np.array(centre) - np.array(lesion.centre)).astype(int)
        here = lesion.moved((int(shift[0]), int(shift[1]), int(shift[2])))
        allowed = self.placement_map(replaced, here, placement.gap_mm)
        if near_mm is not None:
            offset = draw_near(allowed, here, placement, near_mm, rng)
        else:
            offset = draw_offset(allowed, here, placement, Window(), rng)
        return [s + o for s, o in zip(here.start, offset, strict=True)]
