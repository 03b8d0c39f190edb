"""A bank of lesions, cut from the cases of a training cohort, and how they are fitted to a target.

Donor lesions are kept in canonical axes (i to the right, j to the front, k up),
so that left stays left on a target grid of any orientation; where voxel sizes
differ the nested distances are resampled and the volume in mm³ is kept.

The bank is a `DonorSource`.  It holds nothing of the brains around the
lesions, so hundreds fit into memory; each donor names the subjects behind its
case, and every record and lineage that uses it names them again, so the
leakage firewall sees them.

A lesion that was sampled as a slice is given a depth, so that it can be put into a
volume.  A slice says nothing of what lies above and below it, so every piece becomes
as deep as it is wide: a disc becomes a ball, and an elongated outline a body whose
sections shrink towards its ends.  Core and necrosis are inflated by the same rule
within the region around them, and the middle section is the slice itself.  The rule
is Glioforge's own: with `f` the distance to the outline in mm and `R` the largest
such distance of a piece, a point `z` mm off the slice belongs to it where
`z**2 < R**2 - (R - f)**2`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64
from scipy import ndimage

from glioforge.core import CaseRef, EditError, Geometry, LabelMap
from glioforge.data import read_labels, thin_axis
from glioforge.lesions.graft import Graft
from glioforge.lesions.level_set import nested_masks, signed_distance
from glioforge.lesions.patch import ENHANCING, NECROTIC, OEDEMA, LesionPatch, cut, require_complete


@final
@dataclass(frozen=True, eq=False)
class Donor:
    """A lesion of another case, and whose it is.

    Args:
        case_id: The case.
        subjects: Everyone behind it.
        lesion: Its labels in canonical axes.
        drawn: Whether a sampler drew it from noise, so that it is the lesion of none of its subjects.
    """

    case_id: str
    subjects: tuple[str, ...]
    lesion: LesionPatch
    drawn: bool = False


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


def canonical(lesion: LesionPatch, geometry: Geometry) -> LesionPatch:
    """A lesion of a grid in canonical axes, at voxel (0, 0, 0)."""
    axes, flips = geometry.canonical_axes()
    voxels = lesion.voxels.transpose(axes)[tuple(slice(None, None, -1 if f else 1) for f in flips)]
    a, b, c = (lesion.spacing[n] for n in axes)
    return LesionPatch(np.ascontiguousarray(voxels), (0, 0, 0), (a, b, c))


def fitted(lesion: LesionPatch, geometry: Geometry) -> LesionPatch:
    """A canonical lesion on the axes and voxel size of a grid, near voxel (0, 0, 0)."""
    axes, flips = geometry.canonical_axes()
    voxels = lesion.voxels[tuple(slice(None, None, -1 if f else 1) for f in flips)]
    back = (axes.index(0), axes.index(1), axes.index(2))
    a, b, c = (lesion.spacing[n] for n in back)
    turned = LesionPatch(np.ascontiguousarray(voxels.transpose(back)), (0, 0, 0), (a, b, c))
    if np.allclose(turned.spacing, geometry.spacing, rtol=1e-3):
        return LesionPatch(turned.voxels, (0, 0, 0), geometry.spacing)
    return Graft.of(turned).mapped(np.eye(3), turned.centre, (0.0, 0.0, 0.0), geometry.spacing).free()


def recorded_donor(values: Mapping[str, Any], donors: DonorSource | None, geometry: Geometry) -> LesionPatch:
    """The donor lesion of a record's values, where they put it.

    Raises:
        EditError: Donors are not handed in, or the donor has changed since the draw.
    """
    donor = require_donors(donors).donor(values["donor"])
    if donor.lesion.digest != values["donor_digest"]:
        raise EditError(
            f"donor {donor.case_id!r} with lesion {donor.lesion.digest}",
            f"the lesion {values['donor_digest']} of the record",
            "hand in the bank that the record was drawn from",
        )
    lesion = fitted(donor.lesion, geometry)
    i, j, k = (int(s) for s in values["start"])
    return LesionPatch(lesion.voxels, (i, j, k), lesion.spacing)


def require_donors(donors: DonorSource | None) -> DonorSource:
    """Return the donors, at least one; raises `EditError` without."""
    if donors is None or not donors.case_ids:
        raise EditError("no donor lesions", "a bank of training subjects' lesions", "hand donors in")
    return donors


@final
@dataclass(frozen=True, eq=False)
class LesionBank:
    """Lesions of several cases; may be empty.

    Args:
        donors: One a case, in the cohort's order.
    """

    donors: tuple[Donor, ...]

    @classmethod
    def of(cls, cases: Iterable[CaseRef]) -> "LesionBank":
        """Cut the lesions of prepared cases; cases without lesion are passed over.

        Args:
            cases: A training cohort, in the complete scheme.

        Raises:
            CaseError: A case has no label map.
            LabelError: A map is not complete.
        """
        return cls(tuple(donor for ref in cases for donor in _donors(ref)))

    def __len__(self) -> int:
        return len(self.donors)

    @property
    def case_ids(self) -> tuple[str, ...]:
        """Ids of the cases."""
        return tuple(donor.case_id for donor in self.donors)

    def donor(self, case_id: str) -> Donor:
        """The lesion of a case.

        Raises:
            EditError: The bank has none of it.
        """
        for donor in self.donors:
            if donor.case_id == case_id:
                return donor
        raise EditError(f"donor {case_id!r}", f"one of {list(self.case_ids)[:20]}", "hand in the bank of the record")

    def without(self, subjects: Iterable[str]) -> "LesionBank":
        """The bank without lesions of any of these subjects; those drawn from noise are nobody's and stay."""
        left_out = set(subjects)
        return LesionBank(tuple(d for d in self.donors if d.drawn or not left_out & set(d.subjects)))


def _donors(ref: CaseRef) -> list[Donor]:
    """The lesion of a case, one of a slice inflated; none without one."""
    labels = read_labels(ref)
    require_complete(labels)
    if not labels.lesion.any():
        return []
    labels = inflated(labels)
    drawn = ref.lineage.is_synthetic and not ref.lineage.parents
    own = () if drawn else (ref.subject_id,)
    subjects = tuple(sorted({*own, *ref.lineage.subjects}))
    return [Donor(ref.case_id, subjects, canonical(cut(labels), labels.geometry), drawn)]


Plane = Bool[np.ndarray, "i j k"]


def inflated(labels: LabelMap) -> LabelMap:
    """Return a volume whose middle section is the lesion of a slice, and nothing else; a volume as it is.

    Args:
        labels: Complete labels, one voxel thick along one axis; without lesion the result is empty.

    Returns:
        Lesion labels alone, on a grid as fine across the slice as within it.
    """
    axis = thin_axis(labels.geometry)
    if axis is None:
        return labels
    spacing = labels.geometry.spacing
    step = float(np.mean([s for a, s in enumerate(spacing) if a != axis]))
    reaches = [_reach(mask, spacing) for mask in nested_masks(labels.voxels)[:3]]
    depth = int(np.ceil(reaches[0].max() / step))
    shape = [1, 1, 1]
    shape[axis] = 2 * depth + 1
    off = np.abs(np.arange(-depth, depth + 1) * step).reshape(shape)
    whole, core, necrotic = (reach > off for reach in reaches)
    voxels = np.where(whole, OEDEMA, 0)
    voxels = np.where(whole & core, ENHANCING, voxels)
    voxels = np.where(whole & core & necrotic, NECROTIC, voxels)
    return LabelMap(voxels.astype(np.uint8), _thickened(labels.geometry, axis, depth, step), labels.scheme)


def _reach(mask: Plane, spacing: tuple[float, float, float]) -> Float64[np.ndarray, "i j k"]:
    """How far in mm a region reaches off the slice at each voxel; 0 outside."""
    if not mask.any():
        return np.zeros(mask.shape)
    inside = np.where(mask, signed_distance(mask, spacing), 0.0)
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3)))
    largest = np.concatenate([[0.0], ndimage.maximum(inside, pieces, np.arange(1, count + 1))])[pieces]
    return np.asarray(np.sqrt(np.maximum(largest**2 - (largest - inside) ** 2, 0.0)))


def _thickened(geometry: Geometry, axis: int, depth: int, step: float) -> Geometry:
    """The slice's grid with as many voxels on both sides."""
    affine = geometry.affine.copy()
    affine[:3, axis] *= step / geometry.spacing[axis]
    affine[:3, 3] -= affine[:3, axis] * depth
    shape = [*geometry.shape]
    shape[axis] = 2 * depth + 1
    return Geometry((shape[0], shape[1], shape[2]), affine)
