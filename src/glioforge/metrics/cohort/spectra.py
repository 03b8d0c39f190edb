"""Power spectra of slices, and the checkerboards that transposed convolutions leave in them.

Sources: Durall et al. 2020, arXiv:2003.01826 (radial spectra of synthetic images);
Odena et al. 2016, doi:10.23915/distill.00003 (checkerboards: power at periods that
divide the stride, on the axes of frequency).

Conventions
-----------
slices      the axial ones whose brain is at least half as large as the largest one's
spectrum    log2 of the share of power in rings of frequency, the mean (ring 0) left out
checker     log2 of the power at a period of 2 or 4 voxels over that of neighbouring frequencies
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Float64

from glioforge.core import Mask, Modality, Voxels

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
