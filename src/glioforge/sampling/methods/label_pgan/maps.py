"""Label maps of training cases as squares or cubes of class numbers, and the grids of what is drawn.

Conventions
-----------
number      place of a class among the scheme's values in rising order; background is 0
side        voxels along the longest side of a slice, or of the volume, before it is brought to `size`
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch.nn import functional

from glioforge.core import Cohort, CohortError, Geometry, LabelMap, LabelScheme, stream
from glioforge.data import read_labels

if TYPE_CHECKING:
    from glioforge.sampling.methods.label_pgan.spec import LabelPganSpec

HARMONICS = 4
"""Numbers that tell the position of a slice."""
LESION_SHARES = (0.0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08)
"""Shares of the picture that part the sizes of lesions: size 0 has none, size 1 less than the second of these."""
SIZES = len(LESION_SHARES) + 1
"""Sizes of lesions, none among them."""
_BATCH = 64


@final
@dataclass(frozen=True, eq=False)
class Maps:
    """Label maps that a sampler learns from.

    Args:
        labels: Class numbers, `(n, size, size)` or `(n, size, size, size)`.
        slices: Number of each slice on the grid; 0 for volumes.
        sizes: Size of each lesion, from 0 for none to `SIZES - 1`.
    """

    labels: UInt8[np.ndarray, "_ ..."]
    slices: Int64[np.ndarray, "n"]
    sizes: Int64[np.ndarray, "n"]

    def taken(self, chosen: Int64[np.ndarray, "_"]) -> "Maps":
        """Some of the maps, in the order asked for."""
        return Maps(self.labels[chosen], self.slices[chosen], self.sizes[chosen])


def training_maps(spec: "LabelPganSpec", cohort: Cohort, seed: int) -> Maps:
    """Maps of all cases, in the order of the cohort, or the first share of them in a random order.

    Raises:
        CohortError: No slice is left.
    """
    parts = [_of_case(spec, read_labels(ref)) for ref in cohort]
    fields = ("labels", "slices", "sizes")
    maps = Maps(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))
    if not len(maps.labels):
        raise CohortError(
            "no slice with enough labels in the range",
            "at least one",
            "lower `least`, or choose other `ranges`",
            cohort.where,
        )
    if spec.share < 1:
        count = len(maps.labels)
        return maps.taken(stream(seed, "share").permutation(count)[: max(1, round(spec.share * count))])
    return maps


def values_of(scheme: LabelScheme) -> UInt8[np.ndarray, "classes"]:
    """Value of each class by its number."""
    return np.array(sorted(scheme.labels.values()), dtype=np.uint8)


def harmonics(slices: Int64[np.ndarray, "n"], count: int) -> Float32[np.ndarray, "n harmonic"]:
    """Position of slices as cosines of rising frequency, of mean square 1.

    Args:
        slices: Their numbers.
        count: Slices of the grid.
    """
    place = (np.asarray(slices) + 0.5) / count
    waves: Float32[np.ndarray, "n harmonic"] = np.float32(2**0.5) * np.cos(
        np.pi * place[:, None] * np.arange(1, HARMONICS + 1)
    ).astype(np.float32)
    return waves


def lesion_numbers(sizes: Int64[np.ndarray, "n"]) -> Float32[np.ndarray, "n 2"]:
    """Whether there is a lesion, and its size, from -1 to 1.

    Example:
        >>> lesion_numbers(np.array([0, 7])).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
    """
    numbers: Float32[np.ndarray, "n 2"] = np.stack(
        [np.where(sizes > 0, 1, -1), 2 * sizes / (SIZES - 1) - 1], axis=1
    ).astype(np.float32)
    return numbers


def sizes_of(numbers: Float32[torch.Tensor, "n"]) -> Int64[torch.Tensor, "n"]:
    """Sizes of lesions from the second of `lesion_numbers`.

    Example:
        >>> sizes_of(torch.from_numpy(lesion_numbers(np.arange(SIZES)))[:, 1]).tolist()
        [0, 1, 2, 3, 4, 5, 6, 7]
    """
    return ((numbers + 1) * ((SIZES - 1) / 2)).round().long().clamp(0, SIZES - 1)


def lesion_sizes(lesion: Bool[np.ndarray, "n ..."]) -> Int64[np.ndarray, "n"]:
    """Size of the lesion of each map by its share of the picture."""
    shares = lesion.mean(axis=tuple(range(1, lesion.ndim)))
    sizes: Int64[np.ndarray, "n"] = np.searchsorted(LESION_SHARES, shares).astype(np.int64)
    return sizes


@final
@dataclass(frozen=True)
class Frame:
    """How a slice, or a volume, lies in the square or cube of the network.

    Args:
        grid: Grid of the training cases.
        axes: Its axes that are shown.
        size: Pixels along a side.
    """

    grid: Geometry
    axes: tuple[int, ...]
    size: int

    @property
    def side(self) -> int:
        """Voxels along a side of the padded square or cube."""
        return max(self.size, *(self.grid.shape[axis] for axis in self.axes))

    @property
    def left(self) -> tuple[int, ...]:
        """Voxels of padding before each axis that is shown."""
        return tuple((self.side - self.grid.shape[axis]) // 2 for axis in self.axes)

    def fitted(self, numbers: UInt8[np.ndarray, "_ ..."], classes: int) -> UInt8[np.ndarray, "_ ..."]:
        """Pad maps to the square or cube and reduce them to the size, each pixel to its most frequent class."""
        pads = [(0, 0)]
        for axis, before in zip(self.axes, self.left, strict=True):
            pads.append((before, self.side - self.grid.shape[axis] - before))
        padded = np.pad(numbers, pads)
        if self.side == self.size:
            return padded
        parts = [self._reduced(padded[first : first + _BATCH], classes) for first in range(0, len(padded), _BATCH)]
        return np.concatenate([np.zeros((0, *[self.size] * len(self.axes)), np.uint8), *parts])

    def slice_grid(self, axis: int, number: int) -> Geometry:
        """Grid of one slice: where it lies on the grid of the training cases, one voxel thick."""
        step = self.side / self.size
        index = np.eye(4)
        index[axis, 3] = number
        shape = [1, 1, 1]
        for shown, before in zip(self.axes, self.left, strict=True):
            shape[shown] = self.size
            index[shown, shown] = step
            index[shown, 3] = step / 2 - 0.5 - before
        return Geometry((shape[0], shape[1], shape[2]), self.grid.affine @ index)

    def cropped(self, cube: torch.Tensor) -> torch.Tensor:
        """Cut padded maps `(b, channel, side, side, side)` back to the grid of the training cases."""
        cuts = [slice(b, b + self.grid.shape[a]) for a, b in zip(self.axes, self.left, strict=True)]
        return cube[(slice(None), slice(None), *cuts)]

    def _reduced(self, padded: UInt8[np.ndarray, "_ ..."], classes: int) -> UInt8[np.ndarray, "_ ..."]:
        hot = functional.one_hot(torch.from_numpy(padded.astype(np.int64)), classes).movedim(-1, 1).float()
        shares = functional.interpolate(hot, (self.size,) * len(self.axes), mode="area")
        reduced: UInt8[np.ndarray, "_ ..."] = shares.argmax(dim=1).numpy().astype(np.uint8)
        return reduced


def frame_of(spec: "LabelPganSpec", grid: Geometry) -> Frame:
    """Frame of a sampler on a grid."""
    axes = tuple(axis for axis in range(3) if spec.dims == 3 or axis != spec.axis)
    return Frame(grid, axes, spec.size)


def _of_case(spec: "LabelPganSpec", labels: LabelMap) -> Maps:
    """Slices of one case, or its volume."""
    values, frame = values_of(labels.scheme), frame_of(spec, labels.geometry)
    numbers = np.searchsorted(values, labels.voxels).astype(np.uint8)
    if spec.dims == 3:
        return _maps(labels, frame.fitted(numbers[None], len(values)), np.zeros(1, dtype=np.int64))
    stack = np.moveaxis(numbers, spec.axis, 0)
    places = np.arange(len(stack))
    within = places * spec.ranges // len(stack) == spec.range_number
    places = places[within & (stack > 0).any(axis=(1, 2))]
    fitted = frame.fitted(stack[places], len(values))
    kept = (fitted > 0).mean(axis=(1, 2)) >= max(spec.least, 1 / spec.size**2)
    return _maps(labels, fitted[kept], places[kept])


def _maps(labels: LabelMap, fitted: UInt8[np.ndarray, "_ ..."], slices: Int64[np.ndarray, "_"]) -> Maps:
    """Fitted maps with the sizes of their lesions."""
    diseased = np.isin(values_of(labels.scheme), labels.scheme.lesion_values)
    return Maps(fitted, slices, lesion_sizes(diseased[fitted]))
