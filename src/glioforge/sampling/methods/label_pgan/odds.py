"""Signed distances of classes, which are taken as their log odds, and draws of scores.

Source: Pohl et al. 2007, doi:10.1016/j.media.2007.06.003: blends of such maps are maps with sharp borders.

Conventions
-----------
odds      pixels to the border of a class, positive within it, cut off at a distance
healed    a map whose lesions are filled with the nearest healthy class
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from scipy.ndimage import distance_transform_edt

LARGEST: Final = 64
"""Largest side of maps that vary: the file grows with the side."""
EXTRA: Final = 5
"""Numbers of noise that pick training maps and move the lesion."""
SHARE: Final = 4
"""Maps for each mode, at least."""

Labels = UInt8[np.ndarray, "n x y"]


def odds_of(inside: Bool[np.ndarray, "n x y"], far: float) -> Float32[np.ndarray, "n x y"]:
    """Signed distance to the border of a class in pixels, cut off at `far`; minus `far` where the class is absent."""
    found = np.full(inside.shape, -far, dtype=np.float32)
    for row in np.flatnonzero(inside.any(axis=(1, 2))):
        depth = distance_transform_edt(inside[row]) - distance_transform_edt(~inside[row])
        found[row] = np.clip(depth, -far, far)
    return found


def healed(labels: Labels, lesion: Bool[np.ndarray, "class"]) -> Labels:
    """Fill the lesions of maps with the tissue that is nearest; a map without tissue stays as it is."""
    filled, tissue = labels.copy(), ~lesion
    tissue[0] = False
    for row in np.flatnonzero(lesion[labels].any(axis=(1, 2)) & tissue[labels].any(axis=(1, 2))):
        gone = ~tissue[labels[row]] & (labels[row] > 0)
        place = distance_transform_edt(~tissue[labels[row]], return_distances=False, return_indices=True)
        filled[row][gone] = labels[row][tuple(place)][gone]
    return filled


def principal_scores(
    rows: Float32[np.ndarray, "n pixel"], most: int
) -> tuple[Float32[np.ndarray, "pixel"], Float32[np.ndarray, "mode pixel"], Float32[np.ndarray, "n mode"]]:
    """Mean, principal axes as long as the deviation along them, and the scores of the rows, of unit variance.

    As `nn.modes.principal`, through the small matrix of rows against rows, since pixels are many, and with scores.

    Args:
        rows: At least one.
        most: Largest number of axes; there are at most a quarter as many as rows.
    """
    mean = rows.mean(axis=0)
    apart = rows - mean
    powers, vectors = np.linalg.eigh((apart @ apart.T).astype(np.float64))
    order = np.argsort(-powers)[: min(most, len(rows) // SHARE)]
    order = order[powers[order] > 1e-6 * max(float(powers.max()), 1e-6)]
    scores = (vectors[:, order] * np.sqrt(len(rows))).astype(np.float32)
    axes: Float32[np.ndarray, "mode pixel"] = (scores.T @ apart / len(rows)).astype(np.float32)
    return mean, axes, scores


def picked(weights: Float[torch.Tensor, "b row"], normal: Float[torch.Tensor, "b"]) -> torch.Tensor:
    """Row of each draw, with chances in proportion to its weights, by one normal number each; row 0 without weights."""
    sums = weights.cumsum(dim=1)
    aim = torch.special.ndtr(normal).clamp(0, 1 - 1e-6)[:, None] * sums[:, -1:]
    return torch.searchsorted(sums, aim, right=True)[:, 0].clamp(max=weights.shape[1] - 1)
