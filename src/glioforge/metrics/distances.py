"""Surfaces of masks and the distances between two of them, in millimetres.

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
from typing import final

import numpy as np
from jaxtyping import Bool, Float64
from scipy.spatial import cKDTree

from glioforge.core import Affine, within

Mask = Bool[np.ndarray, "i j k"]


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
