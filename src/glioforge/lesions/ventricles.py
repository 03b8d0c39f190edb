"""The ventricles of a map whose border can be moved, and what stays still around them.

Where the map names ventricles, these are all of them.  In a map of tissue alone
they are the large components of fluid deep inside the brain where the lateral
ventricles lie: in the upper half of the brain's extent, off the fissure between
the hemispheres, and nearer to it than the insula.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from glioforge.core.errors import EditError
from glioforge.core.geometry import within
from glioforge.core.labels import LabelMap
from glioforge.lesions.coarse import Coarse
from glioforge.lesions.compartments import VENTRICLE_DEPTH_MM, aside_mm, fraction_along
from glioforge.lesions.cutout import CSF
from glioforge.lesions.midline import Plane

_LEAST_PART = 0.1
_LOWEST, _HIGHEST = 0.48, 0.85
_NEAREST_MM, _FURTHEST = 4.0, 0.45


def are_named(labels: LabelMap) -> bool:
    """Whether a map has a label of ventricles, and voxels of it."""
    return "ventricles" in labels.scheme.labels and bool(labels.region("ventricles").any())


@lru_cache(maxsize=2)
def ventricles_of(labels: LabelMap, plane: Plane) -> Bool[np.ndarray, "i j k"]:
    """Mask of the ventricles, by label or by place; read-only, since it is kept for the next edit of the same map.

    Raises:
        EditError: There are none.
    """
    found = labels.region("ventricles") if are_named(labels) else _lateral(labels, plane)
    found.setflags(write=False)
    return found


def _lateral(labels: LabelMap, plane: Plane) -> Bool[np.ndarray, "i j k"]:
    """Large components of deep fluid where the lateral ventricles lie."""
    brain, spacing = labels.voxels > 0, labels.geometry.spacing
    aside = aside_mm(Coarse(labels.voxels, (1, 1, 1), (0, 0, 0), spacing), plane)
    height = fraction_along(brain, labels.geometry, 2)
    place = (aside >= _NEAREST_MM) & (aside < _FURTHEST * float(aside[brain].max()))
    place &= (height >= _LOWEST) & (height <= _HIGHEST)
    depth = ndimage.distance_transform_edt(np.pad(brain, 1), spacing)[1:-1, 1:-1, 1:-1]
    parts, count = ndimage.label((labels.voxels == CSF) & place & ~within(depth, VENTRICLE_DEPTH_MM))
    if not count:
        raise EditError("a label map without ventricles", "fluid deep inside the brain", "leave the case out")
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= _LEAST_PART * sizes.max())[parts] & (parts > 0))


def still_around(labels: LabelMap, nearest_tissue: UInt8[np.ndarray, "a b c"]) -> Bool[np.ndarray, "a b c"]:
    """Mask of what does not move: no brain, and brainstem and cerebellum with the fourth ventricle between them.

    Args:
        labels: Map whose scheme may name brainstem and cerebellum.
        nearest_tissue: Labels of a box of it, in which ventricles have the label of the tissue nearest to them.
    """
    names = ("brainstem", "cerebellum_white", "cerebellum_grey")
    values = [labels.scheme.labels[name] for name in names if name in labels.scheme.labels]
    return np.isin(nearest_tissue, [0, *values])
