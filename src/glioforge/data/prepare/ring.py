"""Take away the ring of grey matter around the ventricles that mixed voxels of fluid and white matter look like.

Half fluid and half white matter is as bright as grey matter in T1 and T2, and
caps and bands of bright white matter are as bright as grey matter in FLAIR.
A thin sheet of grey matter between a ventricle and white matter goes to one of
the two, unless the average brain expects grey matter there (caudate, thalamus,
hippocampus), or the sheet is part of something thick.
"""

import numpy as np
from jaxtyping import Float32, UInt8
from scipy import ndimage

from glioforge.core.volume import Mask

_DEPTH_MM = 15.0
_REACH_MM = 4.5
_LEAST_MM3 = 200.0
_EXPECTED = 0.5
_UNEXPECTED = 0.35
_NARROW_MM = 2.2
_DEEP_MM = 22.0
_CSF, _GREY, _WHITE = 0, 1, 2
_CROSS = ndimage.generate_binary_structure(3, 1)


def without_ring(
    shares: Float32[np.ndarray, "3 i j k"],
    prior: Float32[np.ndarray, "4 i j k"],
    normal: Mask,
    spacing: tuple[float, float, float],
) -> UInt8[np.ndarray, "i j k"]:
    """Class of each voxel, 0 fluid, 1 grey and 2 white matter, without a ring around the ventricles.

    Args:
        shares: Probability of the three, 0 outside the brain.
        prior: Aligned probability of fluid, cortex, white matter and deep grey matter.
        normal: Brain without tumour.
        spacing: Voxel size in mm.
    """
    classes = shares.argmax(axis=0).astype(np.uint8)
    brain = shares.sum(axis=0) > 0
    ventricles = ventricles_of(classes == _CSF, prior[0] > _EXPECTED, brain, spacing)
    if not (ventricles & brain).any():
        return classes
    grey, white = ((classes == c) & normal for c in (_GREY, _WHITE))
    near = ndimage.distance_transform_edt(~ventricles, sampling=spacing) <= _REACH_MM
    beside_white = ndimage.distance_transform_edt(~white, sampling=spacing) <= _REACH_MM
    ring = grey & near & beside_white & (prior[1] + prior[3] < _UNEXPECTED) & thin_grey(grey, spacing)
    classes[ring] = np.where(shares[_CSF] > shares[_WHITE], _CSF, _WHITE)[ring]
    return classes


def ventricles_of(fluid: Mask, expected: Mask, brain: Mask, spacing: tuple[float, float, float]) -> Mask:
    """Wide parts of the fluid that the average brain's fluid deep in the brain lies in; sulci are too narrow."""
    core = ndimage.distance_transform_edt(fluid, sampling=spacing) > _NARROW_MM
    wide = fluid & (ndimage.distance_transform_edt(~core, sampling=spacing) <= _NARROW_MM) if core.any() else core
    padded = ndimage.binary_fill_holes(np.pad(brain, 1))
    depth = ndimage.distance_transform_edt(padded, sampling=spacing)[1:-1, 1:-1, 1:-1]
    parts, count = ndimage.label(wide & (depth > _DEPTH_MM), _CROSS)
    seen = np.bincount(parts.ravel(), (expected & (depth > _DEEP_MM)).ravel(), count + 1)
    large = seen * float(np.prod(spacing)) >= _LEAST_MM3
    large[0] = False
    return np.asarray(large[parts])


def thin_grey(grey: Mask, spacing: tuple[float, float, float]) -> Mask:
    """Grey matter nowhere more than about 2 mm from something else."""
    inner = ndimage.distance_transform_edt(grey, sampling=spacing) > 2.2
    return ~(ndimage.distance_transform_edt(~inner, sampling=spacing) <= 2.2) if inner.any() else np.ones_like(grey)
