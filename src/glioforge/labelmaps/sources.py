"""What label maps are drawn from: brains without lesion, a bank of lesions, and where these lay.

Brains come from the training cases, whose lesions are inpainted, and from
healthy label maps of the user's; lesions from the training cases, and from
tumour maps of other people, which need no images and no brain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy import ndimage

from glioforge.core import (
    COMPLETE_DISTRACTORS,
    CaseRef,
    Cohort,
    CohortError,
    Geometry,
    LabelMap,
    Lineage,
    bounding_box,
    complete_scheme,
    not_prepared,
)
from glioforge.data import read_labels
from glioforge.labelmaps.prior import Fractions, centre_of, learned
from glioforge.lesions import (
    Donor,
    LesionBank,
    canonical,
    cut,
    inpainted,
    is_fluid,
    midsagittal_plane,
    names_tissue,
    without_islands,
)

_TRIM = 0.002
"""Share of the tissue that may lie beyond the extent of a brain on either side."""
_CORD_MM = 8.0
_FLUID_MM = 6.0


@final
@dataclass(frozen=True, eq=False)
class LabelSources:
    """Cohorts that label maps are drawn from.

    Args:
        train: Prepared training cases; their grid is that of the maps.
        healthy: Prepared label maps of healthy brains, with images or without.
        tumours: Label maps of tumours, prepared or not; only their lesions are used.

    Raises:
        CohortError: There is no labelled training case, or one of the first two cohorts is not prepared.
    """

    train: Cohort
    healthy: Cohort | None = None
    tumours: Cohort | None = None

    def __post_init__(self) -> None:
        if not self.own_brains:
            raise CohortError(
                "no labelled training cases", "at least one, whose grid the maps have", where=self.train.where
            )
        for cohort in (self.train, self.healthy):
            if cohort is not None and len(cohort) and not names_tissue(cohort.scheme):
                raise not_prepared(cohort.scheme.name, cohort.folder, cohort.where)

    def without_outside(self) -> "LabelSources":
        """The training cases alone."""
        return LabelSources(self.train)

    @property
    def fingerprint(self) -> list[str | None]:
        """Hashes of the cohorts."""
        cohorts = (self.train, self.healthy, self.tumours)
        return [None if cohort is None else cohort.fingerprint for cohort in cohorts]

    @cached_property
    def geometry(self) -> Geometry:
        """Grid of the maps: that of the first training case."""
        return read_labels(self.train.cases[0]).geometry

    @property
    def own_brains(self) -> tuple[CaseRef, ...]:
        """Training cases that came with labels, as brains."""
        return tuple(ref for ref in self.train if _is_labelled(ref))

    @property
    def outside_brains(self) -> tuple[CaseRef, ...]:
        """Healthy label maps, as brains."""
        return () if self.healthy is None else self.healthy.cases

    def bank(self) -> tuple[LesionBank, Fractions]:
        """Read the lesions of training cases and tumour maps, and where their centres lay.

        Raises:
            CaseError: A tumour map is missing.
        """
        donors, centres = [], []
        for ref, labels in self._tumours():
            centres.append(centre_of(labels))
            if labels.lesion.any():
                whole = labels.to(complete_scheme(labels.scheme)) if not labels.scheme.is_complete else labels
                subjects = tuple(sorted({ref.subject_id, *ref.lineage.subjects}))
                donors.append(Donor(ref.case_id, subjects, canonical(cut(whole), whole.geometry)))
        return LesionBank(tuple(donors)), learned(centres)

    def lineage_of_tumours(self) -> Lineage:
        """Everyone whose lesions say where and how large lesions are."""
        cohorts = [self.train, *([] if self.tumours is None else [self.tumours])]
        return Lineage.union("lesions that placement was learned from", [cohort.lineage for cohort in cohorts])

    def _tumours(self) -> Iterator[tuple[CaseRef, LabelMap]]:
        """Labelled training cases and tumour maps, one after the other."""
        for cohort in (self.train, self.tumours):
            for ref in cohort or ():
                if _is_labelled(ref):
                    yield ref, read_labels(ref)


def _is_labelled(ref: CaseRef) -> bool:
    """Whether a case came with labels; the tissue map of one that did not may hide a tumour."""
    return bool(ref.facts.get("prepared", {}).get("labelled", True))


def without_lesion(labels: LabelMap) -> LabelMap:
    """Return a map with tissue in place of its lesion, in the scheme of drawn maps.

    Raises:
        EditError: The brain is all lesion.
    """
    if labels.lesion.any():
        filled = inpainted(labels, cut(labels), "mirror", midsagittal_plane(labels))
        labels = without_islands(labels, filled)
    # All complete schemes give tissue the integers of this one.
    return LabelMap(labels.voxels, labels.geometry, COMPLETE_DISTRACTORS)


def fitted_brain(labels: LabelMap, like: LabelMap) -> LabelMap:
    """Return a brain on the grid of another, moved and stretched along each axis so that their extents agree.

    Spinal cord and fluid far from tissue are cut off first.  Labels are those of the nearest voxels.

    Args:
        labels: Map without lesion, in the scheme of drawn maps.
        like: A map whose grid and extent are taken.
    """
    trimmed = _trimmed(labels)
    low, high = _extent(trimmed)
    aim_low, aim_high = _extent(like)
    axes, flips = trimmed.geometry.canonical_axes()
    wanted, turned = like.geometry.canonical_axes()
    matrix, shift = np.zeros((3, 3)), np.zeros(3)
    for world in range(3):
        to, by = axes[world], wanted[world]
        step = (high[to] - low[to]) / max(aim_high[by] - aim_low[by], 1e-6)
        step, first = (step, low[to]) if flips[world] == turned[world] else (-step, high[to])
        matrix[to, by], shift[to] = step, first - step * aim_low[by]
    voxels = ndimage.affine_transform(trimmed.voxels, matrix, shift, like.geometry.shape, order=0, mode="constant")
    return LabelMap(voxels, like.geometry, labels.scheme)


def _extent(labels: LabelMap) -> tuple[np.ndarray, np.ndarray]:
    """First and last voxel of the tissue along each axis, but for a few in a thousand."""
    solid = (labels.voxels > 0) & ~is_fluid(labels.voxels)
    bounds = []
    for axis in range(3):
        line = np.cumsum(solid.sum(axis=tuple(a for a in range(3) if a != axis)))
        share = line / max(int(line[-1]), 1)
        bounds.append((np.searchsorted(share, _TRIM), np.searchsorted(share, 1 - _TRIM)))
    low, high = np.array(bounds, dtype=np.float64).T
    return low, high


def _trimmed(labels: LabelMap) -> LabelMap:
    """A map without spinal cord, which ends a little below the cerebellum, and without fluid far from tissue."""
    scheme, spacing = labels.scheme, labels.geometry.spacing
    voxels = labels.voxels.copy()
    axes, flips = labels.geometry.canonical_axes()
    cerebellum = labels.region("cerebellum_white") | labels.region("cerebellum_grey")
    box = bounding_box(cerebellum)
    if box is not None:
        up = axes[2]
        line, room = np.arange(voxels.shape[up]), _CORD_MM / spacing[up]
        below = line > box[up].stop - 1 + room if flips[2] else line < box[up].start - room
        voxels[tuple(below if a == up else slice(None) for a in range(3))] = 0
    solid = (voxels > 0) & ~is_fluid(voxels)
    far = (voxels == scheme.value("csf")) & (ndimage.distance_transform_edt(~solid, spacing) > _FLUID_MM)
    voxels[far] = 0
    return labels.with_voxels(voxels)
