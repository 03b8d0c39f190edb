"""Maps whose lesions are filled, and draws of training maps by normal numbers.

Conventions
-----------
healed    a map whose lesions are filled with the nearest healthy class
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import distance_transform_edt

LARGEST: Final = 64
"""Largest side of maps that vary: the file grows with the side."""
EXTRA: Final = 5
"""Numbers of noise that pick training maps and move the lesion."""

Labels = UInt8[np.ndarray, "n x y"]


def healed(labels: Labels, lesion: Bool[np.ndarray, "class"]) -> Labels:
    """Fill the lesions of maps with the tissue that is nearest; a map without tissue stays as it is."""
    filled, tissue = labels.copy(), ~lesion
    tissue[0] = False
    for row in np.flatnonzero(lesion[labels].any(axis=(1, 2)) & tissue[labels].any(axis=(1, 2))):
        gone = ~tissue[labels[row]] & (labels[row] > 0)
        place = distance_transform_edt(~tissue[labels[row]], return_distances=False, return_indices=True)
        filled[row][gone] = labels[row][tuple(place)][gone]
    return filled


def picked(weights: Float[torch.Tensor, "b row"], normal: Float[torch.Tensor, "b"]) -> torch.Tensor:
    """Row of each draw, with chances in proportion to its weights, by one normal number each; row 0 without weights."""
    sums = weights.cumsum(dim=1)
    aim = torch.special.ndtr(normal).clamp(0, 1 - 1e-6)[:, None] * sums[:, -1:]
    return torch.searchsorted(sums, aim, right=True)[:, 0].clamp(max=weights.shape[1] - 1)
