"""Where lesions lie in a brain: learned from tumours, by lobes, or anywhere.

Places are fractions of the brain's extent: 0 to 1 from left to right, back to
front and bottom to top, so that places of one brain can be looked up in another.
A learned prior is a sum of Gaussians around the centres of lesions and their
mirror images, with a little weight everywhere.

Source of the frequencies of lobes: Larjavaara et al. 2007, Neuro-Oncol 9:319,
gliomas of adults (frontal 40 %, temporal 29 %, parietal 14 %, occipital 3 %,
deeper structures 14 %).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float64, Int64

from glioforge.core import Geometry, LabelMap, bounding_box

Fractions = Float64[np.ndarray, "_ 3"]

WIDTH = 0.07
"""Standard deviation of the Gaussians, about 10 to 12 mm."""
_EVERYWHERE = 0.1
SRI24_BOX = ((49, 190), (43, 216), (0, 141))
"""First and last voxel of the brain of the BraTS grid of 240 x 240 x 155 mm (LPS, SRI24), in which tumour maps without
a brain are placed."""
SRI24_SHAPE = (240, 240, 155)
LOBES = {"frontal": 0.40, "temporal": 0.29, "parietal": 0.14, "occipital": 0.03, "deep": 0.14}
"""Frequencies of gliomas by lobe."""


@final
@dataclass(frozen=True, eq=False)
class Frame:
    """The extent of a brain on its grid.

    Args:
        geometry: The grid.
        low: First voxel of the brain along each axis of the grid.
        high: Last voxel.
    """

    geometry: Geometry
    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @classmethod
    def of(cls, brain: Bool[np.ndarray, "i j k"], geometry: Geometry) -> "Frame":
        """Frame of a brain mask, which must not be empty."""
        box = bounding_box(brain) or tuple(slice(0, n) for n in brain.shape)
        low, high = zip(*((side.start, side.stop - 1) for side in box), strict=True)
        return cls(geometry, (low[0], low[1], low[2]), (high[0], high[1], high[2]))

    def fractions(self, voxels: Int64[np.ndarray, "place 3"] | Fractions) -> Fractions:
        """Fractions of the extent from left to right, back to front and bottom to top."""
        axes, flips = self.geometry.canonical_axes()
        size = np.maximum(np.array(self.high) - np.array(self.low), 1)
        found = ((np.asarray(voxels) - np.array(self.low)) / size)[:, list(axes)]
        return np.where(flips, 1 - found, found)


@final
@dataclass(frozen=True, eq=False)
class Prior:
    """Weights of places.

    Args:
        kind: How they are found.
        centres: Centres of known lesions, for `learned`; without any the places are as for `lobes`.
    """

    kind: Literal["learned", "lobes", "white_matter"]
    centres: Fractions

    def weights(self, places: Fractions) -> Float64[np.ndarray, "place"]:
        """Weight of each place, not normalised; at most 1."""
        if self.kind == "white_matter":
            return np.ones(len(places))
        if self.kind == "lobes" or not len(self.centres):
            return _by_lobe(places)
        mirrored = self.centres * np.array([-1.0, 1.0, 1.0]) + np.array([1.0, 0.0, 0.0])
        known = np.concatenate([self.centres, mirrored])
        squares = ((places[:, None] - known[None]) ** 2).sum(axis=-1)
        near = np.exp(-squares / (2 * WIDTH**2)).sum(axis=1)
        found: Float64[np.ndarray, "place"] = _EVERYWHERE + (1 - _EVERYWHERE) * near / max(float(near.max()), 1e-9)
        return found


def lobe_of(places: Fractions) -> Int64[np.ndarray, "place"]:
    """Number of the lobe of each place, in the order of `LOBES`; boxes that follow the lobes only roughly."""
    aside = np.abs(places[:, 0] - 0.5)
    front, height = places[:, 1], places[:, 2]
    tests = [
        (aside < 0.22) & (height > 0.3) & (height < 0.62) & (front > 0.3) & (front < 0.7),
        (aside > 0.22) & (height < 0.5) & (front > 0.3) & (front < 0.75),
        front < 0.25,
        (front < 0.5) & (height >= 0.45),
    ]
    names = list(LOBES)
    order = [names.index(n) for n in ("deep", "temporal", "occipital", "parietal")]
    return np.select(tests, order, default=names.index("frontal")).astype(np.int64)


def _by_lobe(places: Fractions) -> Float64[np.ndarray, "place"]:
    """Weights whose sum over a lobe is its frequency, whatever the number of its places."""
    lobe = lobe_of(places)
    counts = np.bincount(lobe, minlength=len(LOBES))
    weights = np.array(list(LOBES.values())) / np.maximum(counts, 1)
    found: Float64[np.ndarray, "place"] = (weights / weights.max())[lobe]
    return found


def centre_of(labels: LabelMap) -> Fractions:
    """Centre of the lesion of one map as fractions of its brain, `(1, 3)`; `(0, 3)` without a lesion or a known brain.

    A map of the tumour alone is placed in the brain of the BraTS grid, if it lies on that.
    """
    lesion = np.argwhere(labels.lesion)
    if not len(lesion):
        return np.zeros((0, 3))
    if labels.scheme.is_complete:
        frame = Frame.of(labels.foreground, labels.geometry)
    elif labels.geometry.shape == SRI24_SHAPE and labels.geometry.orientation == "LPS":
        low, high = zip(*SRI24_BOX, strict=True)
        frame = Frame(labels.geometry, (low[0], low[1], low[2]), (high[0], high[1], high[2]))
    else:
        return np.zeros((0, 3))
    return np.asarray(np.clip(frame.fractions(lesion.mean(axis=0)[None]), 0, 1))


def learned(centres: Iterable[Fractions]) -> Fractions:
    """Join the centres of several maps; `(0, 3)` for none."""
    return np.concatenate([np.zeros((0, 3)), *centres])
