"""Lesions scored one by one, by the rules BraTS has ranked by since 2023, and distances between surfaces of masks.

A prediction that finds one large lesion and misses three small ones has a good
Dice; here each lesion counts alike.  For one region:

1. The truth is dilated by three steps of the 18-neighbourhood within 3 x 3 x 3
   voxels; true voxels whose dilations touch (26-neighbourhood) are one lesion.
2. The prediction is cut into its 26-connected components; every component that
   meets the dilation of a lesion belongs to that lesion, and maybe to another.
3. Each lesion of more than 50 mm³ (50 voxels at 1 mm) is compared with the union
   of its components; a lesion without any scores Dice 0 and HD95 374 mm.
4. Every component that belongs to no lesion, however small, is a false alarm
   and scores 0 and 374 mm.
5. The metric is the mean over lesions and false alarms; 1 and 0 mm without any.

So a true lesion of at most 50 mm³ costs nothing, found or missed.
Source: evaluation rules of the BraTS 2023 challenge for adult glioma.
Deviation: HD95 counts each surface voxel once, the challenge weighs it by the area
of its surface.

Conventions
-----------
surface     voxels of a mask of which at least one of the six face neighbours is
            outside the mask; outside the grid counts as outside the mask
position    centre of a voxel in the world's millimetres, so that anisotropic
            and oblique grids need no special case
distance    from each surface voxel to the nearest surface voxel of the other
            mask; both directions are kept apart
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float64, Int32
from scipy import ndimage
from scipy.spatial import cKDTree

from glioforge.core import Affine, Geometry, within

PENALTY_MM: Final = 374.0
"""HD95 of a missed lesion or a false alarm: the diagonal of a BraTS image, rounded up."""


MINIMUM_MM3: Final = 50.0
"""Lesions up to this volume are not judged."""


DILATION_STEPS: Final = 3
"""Steps by which the truth is dilated before lesions are told apart."""


_NEIGHBOURS_18: Final = ndimage.generate_binary_structure(3, 2)


_NEIGHBOURS_26: Final = ndimage.generate_binary_structure(3, 3)


Numbers = Int32[np.ndarray, "i j k"]


@final
@dataclass(frozen=True)
class LesionScores:
    """Scores of the lesions that are judged, and how many false alarms there are.

    Args:
        dice: Dice of each judged lesion; 0 for a missed one.
        hd95_mm: HD95 of each judged lesion; 374 for a missed one.
        missed: Judged lesions that no component meets.
        false_alarms: Predicted components that meet no lesion.
    """

    dice: tuple[float, ...]
    hd95_mm: tuple[float, ...]
    missed: int
    false_alarms: int

    @property
    def mean_dice(self) -> float:
        """Mean over lesions and false alarms; 1 where there is neither."""
        count = len(self.dice) + self.false_alarms
        return sum(self.dice) / count if count else 1.0

    @property
    def mean_hd95_mm(self) -> float:
        """Mean over lesions and false alarms; 0 where there is neither."""
        count = len(self.hd95_mm) + self.false_alarms
        return (sum(self.hd95_mm) + PENALTY_MM * self.false_alarms) / count if count else 0.0


Mask = Bool[np.ndarray, "i j k"]


def lesion_scores(prediction: Mask, truth: Mask, geometry: Geometry) -> LesionScores:
    """Judge each lesion of a region; two empty masks have no lesion and no false alarm.

    Args:
        prediction: Predicted mask, cut no closer than `DILATION_STEPS` voxels around both masks.
        truth: True mask of the same shape.
        geometry: Gives the directions of the axes in mm.
    """
    zones, count = _zones(truth)
    components, parts = ndimage.label(prediction, structure=_NEIGHBOURS_26)
    owners = _owners(zones, count, components, int(parts))
    lesions = np.where(truth, zones, 0)
    volumes = np.bincount(lesions.ravel(), minlength=count + 1) * geometry.voxel_volume
    # A small lesion is not judged, but its zone still excuses the component that meets it.
    judged = [n for n in range(1, count + 1) if not within(volumes[n], MINIMUM_MM3)]
    scores = [_score(owners[n][components], lesions == n, geometry) for n in judged]
    return LesionScores(
        tuple(dice for dice, _ in scores),
        tuple(distance for _, distance in scores),
        missed=sum(not owners[n].any() for n in judged),
        false_alarms=int(np.count_nonzero(~owners[:, 1:].any(axis=0))),
    )


def _zones(truth: Mask) -> tuple[Numbers, int]:
    """Number of the lesion whose dilation holds each voxel, 0 for none, and how many lesions there are."""
    grown = ndimage.binary_dilation(truth, structure=_NEIGHBOURS_18, iterations=DILATION_STEPS)
    # The challenge's own order: dilate, then label, so that parts closer than twice the dilation are one lesion.
    zones, count = ndimage.label(grown, structure=_NEIGHBOURS_26)
    return zones, int(count)


def _owners(zones: Numbers, count: int, components: Numbers, parts: int) -> Bool[np.ndarray, "lesions components"]:
    """Which component (column) meets the zone of which lesion (row); row and column 0 stand for none."""
    owners = np.zeros((count + 1, parts + 1), dtype=bool)
    meeting = (zones > 0) & (components > 0)
    owners[zones[meeting], components[meeting]] = True
    return owners


def _score(found: Mask, lesion: Mask, geometry: Geometry) -> tuple[float, float]:
    """Dice and HD95 in mm of one lesion and the union of the components that belong to it."""
    if not found.any():
        return 0.0, PENALTY_MM
    both = np.count_nonzero(found & lesion)
    dice = 2 * both / (np.count_nonzero(found) + np.count_nonzero(lesion))
    return float(dice), SurfaceDistances.between(found, lesion, geometry.affine).hd95_mm


def surface_voxels(mask: Mask) -> Mask:
    """Voxels of a mask that touch its outside by a face; none for an empty mask.

    Example:
        >>> cube = np.ones((3, 3, 3), dtype=bool)
        >>> int(surface_voxels(cube).sum())
        26
    """
    inner = mask.copy()
    for axis in range(3):
        view, source = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        view[1:] &= source[:-1]
        view[:-1] &= source[1:]
        # A voxel at the edge of the array has a neighbour outside the mask.
        view[0] = False
        view[-1] = False
    return mask & ~inner


@final
@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances between the surfaces of two masks.

    Args:
        from_prediction: From each surface voxel of the prediction to the truth's surface, mm.
        from_truth: From each surface voxel of the truth to the prediction's surface, mm.
    """

    from_prediction: Float64[np.ndarray, "p"]
    from_truth: Float64[np.ndarray, "t"]

    @classmethod
    def between(cls, prediction: Mask, truth: Mask, affine: Affine) -> "SurfaceDistances":
        """Measure two masks of one grid; neither may be empty.

        Surface voxels that both masks share are at distance zero and need no
        search, which is most of them for a good prediction.
        """
        ours, theirs = surface_voxels(prediction), surface_voxels(truth)
        return cls(_distances(ours, theirs, affine), _distances(theirs, ours, affine))

    @property
    def hd95_mm(self) -> float:
        """Larger of the two directed 95th percentiles."""
        return float(max(np.percentile(self.from_prediction, 95), np.percentile(self.from_truth, 95)))

    @property
    def pooled(self) -> Float64[np.ndarray, "n"]:
        """Distances of both directions in one pool."""
        return np.concatenate([self.from_prediction, self.from_truth])

    def within(self, tolerance_mm: float) -> float:
        """Share of the surface voxels of both masks at most a tolerance away from the other surface.

        A distance of exactly the tolerance counts, on an oblique grid too (see `core.geometry.within`).
        """
        return float(np.mean(within(self.pooled, tolerance_mm)))


def _distances(source: Mask, target: Mask, affine: Affine) -> Float64[np.ndarray, "n"]:
    """Distance of each source voxel to the nearest target voxel, in the order of the source."""
    found = np.zeros(np.count_nonzero(source), dtype=np.float64)
    apart = ~target[source]
    if apart.any():
        # Built once and asked once: balancing the tree would take longer than it saves.
        tree = cKDTree(_positions(target, affine), balanced_tree=False, compact_nodes=False)
        found[apart] = tree.query(_positions(source & ~target, affine))[0]
    return found


def _positions(mask: Mask, affine: Affine) -> Float64[np.ndarray, "n 3"]:
    """World positions of a mask's voxels up to a common shift, mm."""
    return np.argwhere(mask).astype(np.float64) @ affine[:3, :3].T
