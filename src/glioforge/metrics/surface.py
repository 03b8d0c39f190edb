"""How far two surfaces lie apart: HD95, its pooled variant, NSD and average surface distance.

Surface voxels and distances are defined in `metrics.distances`.

HD95 is the larger of the two directed 95th percentiles (MONAI's and BraTS'
definition).  One percentile of both directions pooled, as MedPy computes it, is
another and smaller number, which has a name of its own here: `hd95_pooled`.
NSD is the share of both surfaces within a tolerance (Nikolov et al. 2018), each
surface voxel counting once; a distance equal to the tolerance counts, up to a
relative rounding of 1e-4.  The average surface distance is the mean over the
voxels of both surfaces.
"""

from typing import Final

import numpy as np

from glioforge.metrics.base import AGREEMENT, DISTANCE, Direction, Metric
from glioforge.metrics.pair import MaskPair


def hd95(pair: MaskPair) -> float:
    """Larger of the two directed 95th percentiles of the surface distances, mm."""
    return pair.distances.hd95_mm


def hd95_pooled(pair: MaskPair) -> float:
    """95th percentile of the surface distances of both directions in one pool, mm."""
    return float(np.percentile(pair.distances.pooled, 95))


def hausdorff(pair: MaskPair) -> float:
    """Largest surface distance of either direction, mm; a single stray voxel decides it."""
    return float(pair.distances.pooled.max())


def nsd_1mm(pair: MaskPair) -> float:
    """Normalised surface Dice at a tolerance of 1 mm."""
    return pair.distances.within(1.0)


def nsd_2mm(pair: MaskPair) -> float:
    """Normalised surface Dice at a tolerance of 2 mm."""
    return pair.distances.within(2.0)


def average_surface_distance(pair: MaskPair) -> float:
    """Mean distance of the voxels of both surfaces to the other surface, mm."""
    return float(pair.distances.pooled.mean())


SURFACE: Final[tuple[Metric[MaskPair], ...]] = (
    Metric("hd95", "mm", Direction.LOWER, hd95, DISTANCE, "HD95"),
    Metric("hd95_pooled", "mm", Direction.LOWER, hd95_pooled, DISTANCE, "HD95, pooled"),
    Metric("hausdorff", "mm", Direction.LOWER, hausdorff, DISTANCE, "Hausdorff distance"),
    Metric("nsd_1mm", "1", Direction.HIGHER, nsd_1mm, AGREEMENT, "NSD at 1 mm"),
    Metric("nsd_2mm", "1", Direction.HIGHER, nsd_2mm, AGREEMENT, "NSD at 2 mm"),
    Metric(
        "average_surface_distance",
        "mm",
        Direction.LOWER,
        average_surface_distance,
        DISTANCE,
        "Average surface distance",
    ),
)
"""All metrics of this module."""
