"""The plane in which readers see a case: axial, unless it is a single slice of another plane.

Samplers of slices make cases that are one voxel thick.  Such a case is shown whole, in its own plane.

Conventions
-----------
turned    voxels with axes `(i, j, k)` so that `k` numbers the slices of the plane, `j` rises to the front of an axial
          slice and to the top of the others, and `i` rises to the right, of a sagittal slice to the front
"""

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
from jaxtyping import Shaped

from glioforge.core import Geometry
from glioforge.data import thin_axis
from glioforge.report import upright

Plane = Literal["axial", "coronal", "sagittal"]
ORDER: Final[Mapping[Plane, tuple[int, int, int]]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
"""Axes of a RAS volume in the order in which a plane's voxels are turned."""
_ACROSS: Final[tuple[Plane, ...]] = ("sagittal", "coronal", "axial")


def plane_of(geometry: Geometry) -> Plane:
    """Return the plane of a slice that is one voxel thick, and `axial` for any other case.

    Example:
        >>> plane_of(Geometry.isotropic((1, 64, 64))), plane_of(Geometry.isotropic((64, 64, 48)))
        ('sagittal', 'axial')
    """
    thin = thin_axis(geometry)
    return "axial" if thin is None else _ACROSS[geometry.canonical_axes()[0].index(thin)]


def turned(voxels: Shaped[np.ndarray, "_ _ _"], geometry: Geometry) -> Shaped[np.ndarray, "i j k"]:
    """Return voxels of a grid in the order in which readers see them."""
    return np.transpose(upright(voxels, geometry), ORDER[plane_of(geometry)])


def spacing_of(geometry: Geometry) -> tuple[float, float, float]:
    """Return the voxel size in millimetres along the axes of turned voxels."""
    axes, _ = geometry.canonical_axes()
    x, y, z = (geometry.spacing[axes[axis]] for axis in ORDER[plane_of(geometry)])
    return x, y, z
