"""Voxels of a case as small integers, in memory and in the store.

Conventions
-----------
images   int16, axes `(k, channel, i, j)`, so that an axial slice of all
         contrasts lies together; a voxel's value is `integer * scale`
scale    1/4096 for z-scores (half a step is 1/8192); the next power of two
         that fits where a contrast reaches beyond ±8
labels   uint8, axes `(k, i, j)`
brain    bool, axes `(k, i, j)`
part     a stored array of which only the voxels that may differ from 0 are held
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Float32, Int16, Shaped, UInt8

from glioforge.core import Case, Geometry, LabelMap, LabelScheme, Mask, Modality, Volume

FINEST_SCALE = 1 / 4096
_LARGEST = 32767
_SLAB = 8


@final
@dataclass(frozen=True, eq=False)
class Packed:
    """Images, labels and brain mask of one case as small integers.

    Args:
        modalities: Contrast of each channel.
        images: Integers, `(k, channel, i, j)`; no channels where the case has no image.
        scales: Intensity of one integer step, for each channel.
        labels: Label map, `(k, i, j)`, if the case has one.
        brain: Brain mask, `(k, i, j)`, if the case has one.
    """

    modalities: tuple[Modality, ...]
    images: Int16[np.ndarray, "k c i j"]
    scales: tuple[float, ...]
    labels: UInt8[np.ndarray, "k i j"] | None
    brain: Bool[np.ndarray, "k i j"] | None

    @property
    def content_hash(self) -> str:
        """Hash of all voxels, independent of how they are compressed."""
        digest = hashlib.sha256()
        digest.update(repr((self.modalities, self.scales, self.images.shape)).encode())
        for name, array in (("images", self.images), ("labels", self.labels), ("brain", self.brain)):
            if array is not None:
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:32]

    def volumes(self, geometry: Geometry) -> dict[Modality, Volume]:
        """Unpack the images; empty where the case has none."""
        unpacked = {}
        for channel, modality in enumerate(self.modalities):
            voxels = self.images[:, channel].transpose(1, 2, 0).astype(np.float32)
            voxels *= np.float32(self.scales[channel])
            unpacked[modality] = Volume(np.ascontiguousarray(voxels), geometry, modality)
        return unpacked

    def label_map(self, geometry: Geometry, scheme: LabelScheme) -> LabelMap | None:
        """Unpack the labels; none where the case has none."""
        if self.labels is None:
            return None
        return LabelMap(np.ascontiguousarray(self.labels.transpose(1, 2, 0)), geometry, scheme)

    def brain_mask(self) -> Mask | None:
        """Unpack the brain mask; none where the case has none."""
        return None if self.brain is None else np.ascontiguousarray(self.brain.transpose(1, 2, 0))


def pack(case: Case) -> Packed:
    """Pack a case; packing what was unpacked gives the same integers again."""
    modalities = case.modalities
    scales = tuple(scale_for(case.images[m].voxels) for m in modalities)
    i, j, k = case.geometry.shape
    images = np.empty((k, len(modalities), i, j), dtype=np.int16)
    for channel, (modality, scale) in enumerate(zip(modalities, scales, strict=True)):
        voxels = case.images[modality].voxels
        for first in range(0, k, _SLAB):
            steps = voxels[..., first : first + _SLAB] * np.float32(1 / scale)
            images[first : first + _SLAB, channel] = np.rint(steps, out=steps).transpose(2, 0, 1)
    labels = None if case.labels is None else np.ascontiguousarray(case.labels.voxels.transpose(2, 0, 1))
    brain = None if case.brain is None else np.ascontiguousarray(case.brain.transpose(2, 0, 1))
    return Packed(modalities, images, scales, labels, brain)


def scale_for(voxels: Float32[np.ndarray, "..."]) -> float:
    """Intensity of one integer step: 1/4096, or the smallest larger power of two that fits.

    Example:
        >>> scale_for(np.array([5.0], dtype=np.float32)) == 1 / 4096
        True
        >>> scale_for(np.array([-700.0], dtype=np.float32)) == 1 / 32
        True
    """
    largest = max(float(voxels.max(initial=0.0)), -float(voxels.min(initial=0.0)))
    if largest <= _LARGEST * FINEST_SCALE:
        return FINEST_SCALE
    return float(2.0 ** math.ceil(math.log2(largest / _LARGEST)))


@final
@dataclass(frozen=True, eq=False)
class Part:
    """What was read of an array: the voxels that may differ from 0, and where they lie in it.

    Args:
        voxels: `(n, channel, a, b)`, or none where all that was asked for is 0.
        place: First slice, row and column of `voxels` in the whole.
        shape: Shape of the whole, `(n, channel, a, b)`.
        kind: Type of its numbers.
    """

    voxels: Shaped[np.ndarray, "n c a b"] | None
    place: tuple[int, int, int]
    shape: tuple[int, ...]
    kind: np.dtype[Any]

    def whole(self) -> Shaped[np.ndarray, "n c a b"]:
        """All that was asked for, in an array of the caller's own."""
        result = np.zeros(self.shape, self.kind)
        if self.voxels is not None:
            result[self._box(self.voxels)] = self.voxels
        return result

    def _box(self, voxels: np.ndarray) -> tuple[slice, ...]:
        """Where they lie in the whole."""
        n, a, b = self.place
        return (
            slice(n, n + voxels.shape[0]),
            slice(None),
            slice(a, a + voxels.shape[2]),
            slice(b, b + voxels.shape[3]),
        )
