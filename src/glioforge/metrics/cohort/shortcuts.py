"""Traits by which files tell their origin without showing anatomy: background, quantisation, border.

A classifier that tells synthetic from real scans by them has learned nothing about
images.  They are tested by themselves (`metrics.cohort.classifier`), so that a page
can say whether a difference is one of images or of files.

Conventions
-----------
background     voxels outside the brain
quantisation   how many values there are, how often the most frequent one comes, and how much is clipped
border         the outermost layer of the brain against the next one, and brain at the edge of the grid
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from scipy.ndimage import binary_erosion

from glioforge.core import Mask, Modality, Voxels

KINDS: Final = ("background", "quantisation", "border")
"""Beginnings of the names of traits."""


def shortcut_traits(images: Mapping[Modality, Voxels], brain: Mask) -> dict[str, float]:
    """Measure the traits of a case; nothing where the brain is empty.

    Example:
        >>> image = np.zeros((4, 4, 4), dtype=np.float32)
        >>> image[1:3, 1:3, 1:3] = 1
        >>> shortcut_traits({Modality.T1: image}, image > 0)["quantisation: t1 most frequent"]
        1.0
    """
    if not brain.any():
        return {}
    layer = brain & ~binary_erosion(brain)
    inner = binary_erosion(brain)
    next_layer = inner & ~binary_erosion(inner)
    edge = np.ones(brain.shape, dtype=bool)
    edge[1:-1, 1:-1, 1:-1] = False
    found = {"border: brain at the edge of the grid": float((brain & edge).sum() / brain.sum())}
    for modality, image in images.items():
        outside, values = image[~brain], image[brain]
        found |= {
            f"background: {modality} not 0": float((outside != 0).mean()) if outside.size else 0.0,
            f"background: {modality} size": float(np.abs(outside).mean()) if outside.size else 0.0,
            **{f"quantisation: {modality} {name}": value for name, value in _quantised(values).items()},
            f"border: {modality} layer": float(image[layer].mean() - values.mean()),
            f"border: {modality} fall": _fall(image, layer, next_layer),
            f"border: {modality} spread": float(image[layer].std()),
        }
    return found


def _quantised(values: np.ndarray) -> dict[str, float]:
    """Distinct values as a power of the count, share of the most frequent one, and shares at both ends."""
    distinct, counts = np.unique(values, return_counts=True)
    return {
        "distinct": float(np.log2(len(distinct)) / max(np.log2(len(values)), 1.0)),
        "most frequent": float(counts.max() / len(values)),
        "at the least": float(counts[0] / len(values)),
        "at the greatest": float(counts[-1] / len(values)),
    }


def _fall(image: Voxels, layer: Mask, next_layer: Mask) -> float:
    """Mean of the outermost layer less that of the next; 0 where there is none."""
    return float(image[layer].mean() - image[next_layer].mean()) if next_layer.any() else 0.0
