"""Partial-volume label maps: memberships instead of hard borders (Shin et al. 2018, future work).

A voxel at a border holds some of both tissues; a generator that sees only hard
labels paints tumours that look cut out.  Smoothing each class by a Gaussian,
divided by the smoothed brain, gives memberships that sum to 1 and leave the
outline of the brain as it is.
"""

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap
from glioforge.lesions.cutout import box_of


def soft_labels(labels: LabelMap, sigma_mm: float) -> Float32[np.ndarray, "label i j k"]:
    """Membership of every voxel in every label.

    Args:
        labels: Map in any scheme.
        sigma_mm: Width of the borders; 0 gives 0 and 1 alone.

    Returns:
        Memberships in [0, 1], labels in the order of the scheme; they sum to 1
        in every voxel.  Background stays background alone.

    Raises:
        EditError: The width is negative or not a number.
    """
    if not 0 <= sigma_mm < np.inf:
        raise EditError(f"soft borders of {sigma_mm} mm", "a width of 0 mm or more")
    values = list(labels.scheme.labels.values())
    members = np.stack([(labels.voxels == v).astype(np.float32) for v in values])
    box = box_of(labels.voxels > 0)
    if sigma_mm == 0 or box is None:
        return members
    inside = labels.voxels[box] > 0
    sigma = [sigma_mm / s for s in labels.geometry.spacing]
    classes = [row for row, value in enumerate(values) if value != 0]
    smooth = np.stack([ndimage.gaussian_filter(members[(row, *box)], sigma, mode="constant") for row in classes])
    total = smooth.sum(axis=0)
    smooth = np.divide(smooth, total, out=np.zeros_like(smooth), where=total > 0)
    for row, soft in zip(classes, smooth, strict=True):
        members[(row, *box)][inside] = soft[inside]
    return members
