"""Bring voxels onto another grid through a transform between both worlds."""

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from glioforge.core.geometry import Affine, Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.volume import Voxels


def resampled(
    voxels: Voxels, source: Geometry, target: Geometry, transform: Affine, background: float = 0.0
) -> Float32[np.ndarray, "x y z"]:
    """Linear interpolation of an image on another grid.

    Args:
        voxels: The image on `source`.
        source: Its grid.
        target: The wanted grid.
        transform: From the world of the target to the world of the source, RAS mm.
        background: Value beyond the source.
    """
    chain = np.linalg.inv(source.affine) @ transform @ target.affine
    return np.asarray(
        ndimage.affine_transform(
            voxels.astype(np.float32), chain[:3, :3], chain[:3, 3], target.shape, order=1, cval=background
        )
    )


def resampled_labels(labels: LabelMap, target: Geometry, transform: Affine) -> LabelMap:
    """Label map on another grid: each voxel takes the label that fills it most, background included."""
    best = np.full(target.shape, 0.5, dtype=np.float32)
    share = resampled(labels.foreground.astype(np.float32), labels.geometry, target, transform)
    inside = share >= best
    best[inside] = 0
    result = np.zeros(target.shape, dtype=np.uint8)
    for value in (int(v) for v in np.unique(labels.voxels) if v):
        share = resampled((labels.voxels == value).astype(np.float32), labels.geometry, target, transform)
        won = inside & (share > best)
        best[won] = share[won]
        result[won] = value
    return LabelMap(result, target, labels.scheme)
