"""How the contrasts of a case belong together, and how rough each is across slices.

Contrasts that were made apart from each other show it: their edges lie in
different places, and one tells less about another than in a scan.

Sources: normalised mutual information of Studholme et al. 1999, Pattern Recognit.
32:71; edge agreement is the correlation of gradient magnitudes (Pluim et al. 2000
compare gradients in registration).  Roughness is `metrics.texture.gradient_ratio`.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Final

import numpy as np
from jaxtyping import Float

from glioforge.core import Mask, Modality, Voxels, bounding_box
from glioforge.metrics.texture import gradient_ratio

BINS: Final = 32
"""Bins of a contrast between its 0.5th and 99.5th percentile in the brain."""

Values = Float[np.ndarray, "voxel"]


def consistency(images: Mapping[Modality, Voxels], brain: Mask) -> dict[str, float]:
    """Mutual information and edge agreement of every two contrasts inside the brain.

    Returns:
        Nothing for a single contrast or an empty brain; normalised mutual information is 1 (independent) to 2.
    """
    box = bounding_box(brain, 1)
    if box is None:
        return {}
    inside = brain[box]
    values = {m: v[box][inside] for m, v in images.items()}
    steps = {m: np.sqrt(sum(g**2 for g in np.gradient(v[box])))[inside] for m, v in images.items()}
    found = {}
    for a, b in combinations(images, 2):
        found[f"{a} and {b} information"] = mutual_information(values[a], values[b])
        found[f"{a} and {b} edges"] = _correlation(steps[a], steps[b])
    return found


def mutual_information(a: Values, b: Values) -> float:
    """Sum of the two entropies over the joint one; 1 for independent values, 2 for equal ones.

    Example:
        >>> x = np.arange(64.0)
        >>> round(mutual_information(x, x), 6)
        2.0
    """
    joint = np.histogram2d(_binned(a), _binned(b), bins=BINS, range=((0, BINS), (0, BINS)))[0]
    both = _entropy(joint.ravel())
    apart = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
    return apart / both if both > 0 else 2.0


def roughness(images: Mapping[Modality, Voxels], brain: Mask) -> dict[str, float]:
    """Step across axial slices over that within them, of each contrast in the brain."""
    return {str(m): gradient_ratio(image, brain) for m, image in images.items()}


def _binned(values: Values) -> Values:
    """Number of each value's bin, with what lies beyond the percentiles in the outermost ones."""
    low, high = np.percentile(values, (0.5, 99.5))
    scaled = (values - low) / max(float(high - low), 1e-9) * BINS
    bins: Values = np.clip(scaled, 0, BINS - 1).astype(np.float64)
    return bins


def _entropy(counts: Values) -> float:
    """Entropy of a histogram, in nats."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _correlation(a: Values, b: Values) -> float:
    """Pearson's correlation; 0 where one is constant."""
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread > 0 else 0.0
