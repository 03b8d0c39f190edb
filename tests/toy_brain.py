"""A toy brain of ellipsoids with a three-part lesion, small enough for laws over many edits."""

import numpy as np

from glioforge.core.anatomy_schemes import COMPLETE_STRUCTURES
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import COMPLETE
from glioforge.lesions.bank import Donor, LesionBank, canonical
from glioforge.lesions.patch import cut

EXTENT_MM = np.array([144.0, 168.0, 132.0])
"""Field of view along x, y, z."""


def toy_brain(spacing=(4.0, 4.0, 4.0), centre=(0.34, 0.6, 0.62), radii=(22.0, 14.0, 8.0), orientation=(1, 1, 1)):
    """Complete map of a brain with cortex, fissure, two ventricles and a lesion of nested balls.

    Args:
        spacing: Voxel size in mm.
        centre: Centre of the lesion as a fraction of the field of view; none for a healthy brain.
        radii: Radii of oedema, enhancing rim and necrosis in mm.
        orientation: Signs of the axes; -1 stores an axis the other way round.
    """
    shape = tuple(int(n) for n in EXTENT_MM / np.array(spacing))
    x, y, z = np.meshgrid(
        *((np.arange(n) + 0.5) * s - n * s / 2 for n, s in zip(shape, spacing, strict=True)), indexing="ij"
    )
    a, b, c = (n * s / 2 * 0.92 for n, s in zip(shape, spacing, strict=True))
    distance = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    voxels = np.zeros(shape, dtype=np.uint8)
    voxels[distance < 1] = 6
    voxels[distance < 0.95] = 5
    voxels[distance < 0.82] = 4
    voxels[(distance < 0.95) & (np.abs(x) < 3) & (z > 0.25 * c)] = 6
    for side in (-1, 1):
        ventricle = ((x - side * 13) / 8) ** 2 + (y / 26) ** 2 + ((z - 4) / 9) ** 2
        voxels[ventricle < 1] = 6
    if centre is not None:
        point = (np.array(centre) - 0.5) * np.array(shape) * np.array(spacing)
        away = np.sqrt((x - point[0]) ** 2 + ((y - point[1]) / 1.2) ** 2 + (z - point[2]) ** 2)
        for radius, value in zip(radii, (2, 3, 1), strict=True):
            voxels[(away < radius) & (distance < 1)] = value
    flips = tuple(slice(None, None, sign) for sign in orientation)
    affine = np.diag([*(np.array(spacing) * np.array(orientation)), 1.0])
    return LabelMap(np.ascontiguousarray(voxels[flips]), Geometry(shape, affine), COMPLETE)


def structured_brain(rng=None):
    """Healthy toy brain whose map names brainstem, cerebellum and ventricles, drawn at random with a generator."""
    labels = toy_brain(centre=None)
    wobble = np.zeros(5) if rng is None else rng.uniform(-1, 1, 5)
    x, y, z = np.meshgrid(*((np.arange(n) + 0.5) * 4 - n * 2 for n in labels.voxels.shape), indexing="ij")
    voxels = labels.voxels.copy()
    voxels[(voxels == 6) & (np.sqrt((x / 66) ** 2 + (y / 77) ** 2 + (z / 61) ** 2) < 0.7)] = 12
    cerebellum = (x / (38 + 4 * wobble[0])) ** 2 + ((y + 42) / (22 + 3 * wobble[1])) ** 2
    cerebellum += ((z + 34 + 4 * wobble[2]) / 18) ** 2
    voxels[(cerebellum < 1) & np.isin(voxels, (4, 5))] = 10
    voxels[(cerebellum < 0.5) & (voxels == 10)] = 9
    stem = (np.abs(x) < 11) & (np.abs(y + 10 + 4 * wobble[3]) < 11) & (z < -14 + 4 * wobble[4])
    voxels[stem & (voxels > 0) & (voxels != 6)] = 8
    return LabelMap(voxels, labels.geometry, COMPLETE_STRUCTURES)


def toy_bank(*brains, spacing=(4.0, 4.0, 4.0)):
    """Bank of the lesions of some brains; of two toy brains where none are given."""
    first, second = toy_brain(spacing, radii=(18.0, 12.0, 6.0)), toy_brain(spacing, (0.68, 0.4, 0.6), (14.0, 9.0, 5.0))
    maps = brains or (first, second)
    donors = []
    for number, labels in enumerate(maps):
        lesion = canonical(cut(labels), labels.geometry)
        donors.append(Donor(f"donor{number}", (f"person{number}",), lesion))
    return LesionBank(tuple(donors))
