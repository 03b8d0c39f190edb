"""Describe the images of a case: agreement of contrasts, power spectra of slices, and traits of files without anatomy.

Contrasts that were made apart from each other show it: their edges lie in
different places, and each predicts the others less well than in a scan.  Edge
agreement is the correlation of gradient magnitudes; how rough each contrast is
across slices is `metrics.texture.gradient_ratio`.

Transposed convolutions leave checkerboards, which show as power at periods that
divide the stride, on the axes of frequency.

Background, quantisation and border tell the origin of a file without showing anatomy.
A classifier that separates synthetic from real scans by them has learned nothing about
images.  They are tested by themselves (`metrics.cohort.classifier`), so that a page
can say whether a difference is one of images or of files.

Conventions
-----------
slices         of spectra: the axial ones whose brain is at least half as large as the largest one's
spectrum       log2 of the share of power in rings of frequency, the mean (ring 0) left out
checker        log2 of the power at a period of 2 or 4 voxels over that of neighbouring frequencies
background     voxels outside the brain
quantisation   how many values there are, how often the most frequent one comes, and how much is clipped
border         the outermost layer of the brain against the next one, and brain at the edge of the grid

Sources: normalised mutual information of Studholme et al. 1999, Pattern Recognit.
32:71; Pluim et al. 2000 (gradients compared in registration); Durall et al. 2020,
arXiv:2003.01826 (radial spectra of synthetic images); Odena et al. 2016,
doi:10.23915/distill.00003 (checkerboards).
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Final

import numpy as np
from jaxtyping import Float, Float64
from scipy.ndimage import binary_erosion

from glioforge.core import Mask, Modality, Voxels, bounding_box
from glioforge.metrics import gradient_ratio

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


RINGS: Final = 12
"""Rings of frequency, from 0 to half a cycle a voxel."""
PERIODS: Final = (2, 4)
"""Periods of checkerboards, in voxels: strides of one and two transposed convolutions."""
_LEAST: Final = 1e-12
_AWAY: Final = (2, 3, 4)
"""Distance of the frequencies that a checkerboard is compared with, in cycles a slice."""

Power = Float64[np.ndarray, "row column"]


def spectrum(images: Mapping[Modality, Voxels], brain: Mask) -> dict[str, float]:
    """Share of power of each contrast in each ring, in octaves; nothing where the brain is empty."""
    found: dict[str, float] = {}
    for modality, image in images.items():
        power = _power(image, brain)
        if power is None:
            return {}
        rows, columns = (np.fft.fftfreq(n) for n in power.shape)
        ring = (np.hypot(rows[:, None], columns) * 2 * RINGS).astype(int)
        sums = np.bincount(ring.ravel(), power.ravel(), minlength=RINGS + 1)[1:RINGS]
        shares = np.log2(np.maximum(sums / max(float(sums.sum()), _LEAST), _LEAST))
        found |= {f"{modality} ring {n + 1}": float(share) for n, share in enumerate(shares)}
    return found


def checkerboard(images: Mapping[Modality, Voxels], brain: Mask) -> dict[str, float]:
    """Excess power at the periods of checkerboards, in octaves; nothing where the brain is empty.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> noise = rng.standard_normal((32, 32, 2)).astype(np.float32)
        >>> inside = np.ones(noise.shape, dtype=bool)
        >>> noise[::2] += 3
        >>> checkerboard({Modality.T1: noise}, inside)["t1 period 2"] > 3
        True
    """
    found: dict[str, float] = {}
    for modality, image in images.items():
        power = _power(image, brain)
        if power is None:
            return {}
        for period in PERIODS:
            excess = [_excess(line, period) for line in (power.mean(axis=1), power.mean(axis=0))]
            found[f"{modality} period {period}"] = float(np.mean(excess))
    return found


def _power(image: Voxels, brain: Mask) -> Power | None:
    """Mean power spectrum of the slices with much brain."""
    areas = brain.sum(axis=(0, 1))
    if not areas.any():
        return None
    chosen = areas >= areas.max() / 2
    slices = (image * brain)[..., chosen].astype(np.float64)
    power: Power = (np.abs(np.fft.fft2(slices, axes=(0, 1))) ** 2).mean(axis=2)
    return power


def _excess(line: Float64[np.ndarray, "frequency"], period: int) -> float:
    """Power at one frequency over the mean of its neighbours, in octaves."""
    count = len(line)
    at = round(count / period)
    near = [line[(at + sign * away) % count] for away in _AWAY for sign in (-1, 1)]
    return float(np.log2(max(float(line[at % count]), _LEAST) / max(float(np.mean(near)), _LEAST)))


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
