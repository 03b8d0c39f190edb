"""A lesion of another case, fitted to a target grid and found a place.

Donor lesions are kept in canonical axes (i to the right, j to the front, k up),
so that left stays left on a target grid of any orientation; where voxel sizes
differ the nested distances are resampled and the volume in mm³ is kept.
"""

from typing import Any

import numpy as np

from glioforge.core.errors import EditError
from glioforge.core.geometry import Geometry
from glioforge.core.protocols import EditRecord
from glioforge.lesions.base import Donor, DonorSource, EditSpec, Sources, Theatre
from glioforge.lesions.cutout import Cutout
from glioforge.lesions.graft import Graft
from glioforge.lesions.placement import Window, draw_near, draw_offset

_MOST_DONORS = 5


def canonical(lesion: Cutout, geometry: Geometry) -> Cutout:
    """A lesion of a grid in canonical axes, at voxel (0, 0, 0)."""
    axes, flips = geometry.canonical_axes()
    voxels = lesion.voxels.transpose(axes)[tuple(slice(None, None, -1 if f else 1) for f in flips)]
    a, b, c = (lesion.spacing[n] for n in axes)
    return Cutout(np.ascontiguousarray(voxels), (0, 0, 0), (a, b, c))


def fitted(lesion: Cutout, geometry: Geometry) -> Cutout:
    """A canonical lesion on the axes and voxel size of a grid, near voxel (0, 0, 0)."""
    axes, flips = geometry.canonical_axes()
    voxels = lesion.voxels[tuple(slice(None, None, -1 if f else 1) for f in flips)]
    back = (axes.index(0), axes.index(1), axes.index(2))
    a, b, c = (lesion.spacing[n] for n in back)
    turned = Cutout(np.ascontiguousarray(voxels.transpose(back)), (0, 0, 0), (a, b, c))
    if np.allclose(turned.spacing, geometry.spacing, rtol=1e-3):
        return Cutout(turned.voxels, (0, 0, 0), geometry.spacing)
    return Graft.of(turned).mapped(np.eye(3), turned.centre, (0.0, 0.0, 0.0), geometry.spacing).free()


def donor_at(
    theatre: Theatre, spec: EditSpec, sources: Sources, near_mm: float | None, rng: np.random.Generator
) -> dict[str, Any]:
    """Draw a donor and a valid place for its lesion.

    Args:
        theatre: The map laid open.
        spec: Limits of the placement.
        sources: Donors and prior.
        near_mm: Largest distance from the centre of the lesion it replaces; anywhere without.
        rng: Source of the draws.

    Returns:
        Entries of the record: `donor`, `donor_digest`, `subjects`, `start`.

    Raises:
        EditError: There are no donors, or the lesions of several found no valid place.
    """
    donors = _require(sources.donors)
    order = rng.permutation(len(donors.case_ids))[:_MOST_DONORS]
    reason: EditError | None = None
    for number in order:
        donor = donors.donor(donors.case_ids[int(number)])
        lesion = fitted(donor.lesion, theatre.labels.geometry)
        try:
            start = _place(theatre, spec, sources, near_mm, lesion, rng)
        except EditError as error:
            reason = error
            continue
        return {
            "donor": donor.case_id,
            "donor_digest": donor.lesion.digest,
            "subjects": sorted({*theatre.values["subjects"], *donor.subjects}),
            "start": start,
        }
    raise EditError(f"none of {len(order)} donors fits: {reason}", "a donor with a valid place", "add donors")


def recorded_donor(record: EditRecord, sources: Sources, geometry: Geometry) -> Cutout:
    """The donor lesion of a record, where the record puts it.

    Raises:
        EditError: Donors are not handed in, or the donor has changed since the draw.
    """
    donor: Donor = _require(sources.donors).donor(record.values["donor"])
    if donor.lesion.digest != record.values["donor_digest"]:
        raise EditError(
            f"donor {donor.case_id!r} with lesion {donor.lesion.digest}",
            f"the lesion {record.values['donor_digest']} of the record",
            "hand in the bank that the record was drawn from",
        )
    lesion = fitted(donor.lesion, geometry)
    i, j, k = (int(s) for s in record.values["start"])
    return Cutout(lesion.voxels, (i, j, k), lesion.spacing)


def _require(donors: DonorSource | None) -> DonorSource:
    """Donors, at least one."""
    if donors is None or not donors.case_ids:
        raise EditError("no donor lesions", "a bank of training subjects' lesions", "hand donors in")
    return donors


def _place(
    theatre: Theatre, spec: EditSpec, sources: Sources, near_mm: float | None, lesion: Cutout, rng: np.random.Generator
) -> list[int]:
    """First voxel of a valid place."""
    centre = theatre.target.centre if near_mm is not None else [n / 2 for n in theatre.labels.voxels.shape]
    shift = np.rint(np.array(centre) - np.array(lesion.centre)).astype(int)
    here = lesion.moved((int(shift[0]), int(shift[1]), int(shift[2])))
    ground = theatre.ground(spec, here)
    if near_mm is not None:
        offset = draw_near(ground, here, spec.placement, near_mm, rng)
    else:
        offset = draw_offset(ground, here, spec.placement, Window(), rng, prior=sources.prior)
    return [s + o for s, o in zip(here.start, offset, strict=True)]
