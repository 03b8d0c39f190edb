"""The sound files of one case while the doctor looks at them.

Most questions are answered on every second voxel or so, in canonical order,
which is quick and enough; labels are looked at in full.

Conventions
-----------
small     every `step`-th voxel along each axis, canonical (RAS) order
normal    brain voxels without lesion
z         intensity less the median of normal brain, over 1.4826 times its
          median absolute deviation
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Bool, Float32, Integer, Shaped

from glioforge.core import Geometry, LabelScheme, Mask, Modality, Volume
from glioforge.data.prepare.brain import background_value, largest_part, not_background
from glioforge.io import Scan

Small = Float32[np.ndarray, "x y z"]
_STEP_MM = 2.0


@final
@dataclass(frozen=True, eq=False)
class Opened:
    """Files of one case on its grid.

    Args:
        images: Sound images.
        labels: Sound label file, if any.
        brain_file: Sound brain mask, if any.
        scheme: What the labels mean, as far as this case tells.
    """

    images: Mapping[Modality, Scan]
    labels: Scan | None
    brain_file: Scan | None
    scheme: LabelScheme | None

    @property
    def geometry(self) -> Geometry:
        """The case's grid."""
        scans = [*self.images.values(), *(scan for scan in (self.labels, self.brain_file) if scan)]
        return scans[0].header.geometry

    @cached_property
    def step(self) -> tuple[int, int, int]:
        """Every how many voxels is looked at, along each axis of the file."""
        i, j, k = (max(1, round(_STEP_MM / spacing)) for spacing in self.geometry.spacing)
        return (i, j, k)

    def small(self, voxels: Shaped[np.ndarray, "i j k"]) -> Shaped[np.ndarray, "x y z"]:
        """Every `step`-th voxel in canonical order."""
        i, j, k = self.step
        axes, flips = self.geometry.canonical_axes()
        thin = voxels[::i, ::j, ::k].transpose(axes)
        return thin[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]

    def plane(self, voxels: Shaped[np.ndarray, "i j k"], index: int) -> Shaped[np.ndarray, "x y"]:
        """The axial slice at an index of the small grid, every voxel of it, in canonical order."""
        axes, flips = self.geometry.canonical_axes()
        count = -(-self.geometry.shape[axes[2]] // self.step[axes[2]])
        slice_ = voxels.transpose(axes)[:, :, (count - 1 - index if flips[2] else index) * self.step[axes[2]]]
        return slice_[:: -1 if flips[0] else 1, :: -1 if flips[1] else 1]

    @cached_property
    def small_images(self) -> dict[Modality, Small]:
        """Images, small."""
        return {m: scaled(scan, self.small(scan.voxels)) for m, scan in self.images.items()}

    @cached_property
    def backgrounds(self) -> dict[Modality, float]:
        """Most frequent value on the faces of each image."""
        return {m: background_value(voxels) for m, voxels in self.small_images.items()}

    @cached_property
    def values(self) -> Integer[np.ndarray, "i j k"] | None:
        """Label values on the case's own grid."""
        return None if self.labels is None else self.labels.integers()

    @cached_property
    def lesion(self) -> Mask | None:
        """Tumour on the case's own grid; whatever is labelled where the scheme is unknown."""
        if self.values is None:
            return None
        if self.scheme is None:
            return np.asarray(self.values != 0)
        tissue = [value for name, value in self.scheme.labels.items() if name in self.scheme.tissue]
        return np.asarray((self.values != 0) & ~np.isin(self.values, tissue) if tissue else self.values != 0)

    @cached_property
    def small_brain(self) -> Bool[np.ndarray, "x y z"]:
        """The brain, small: the mask that came with the case, else the largest part that is not background."""
        if self.brain_file is not None:
            return self.small(self.brain_file.mask())
        if not self.images:
            shape = (1, 1, 1) if self.values is None else self.small(self.values).shape
            return np.zeros(shape, dtype=bool)
        geometry = Geometry.isotropic(next(iter(self.small_images.values())).shape)
        return largest_part(not_background({m: Volume(v, geometry, m) for m, v in self.small_images.items()}))

    @cached_property
    def normal(self) -> Bool[np.ndarray, "x y z"]:
        """Brain without lesion, small."""
        return self.small_brain if self.lesion is None else self.small_brain & ~self.small(self.lesion)

    def small_label(self, name: str) -> Bool[np.ndarray, "x y z"]:
        """One label or region, small; nothing where the scheme is unknown or does not name it."""
        known = self.scheme is not None and {name} & {*self.scheme.labels, *self.scheme.regions}
        if self.values is None or self.scheme is None or not known:
            return np.zeros(self.small_brain.shape, dtype=bool)
        return np.isin(self.small(self.values), self.scheme.region_values(name))

    @cached_property
    def z(self) -> dict[Modality, Small]:
        """Images in units of the spread of normal brain, small; none where there is no normal brain."""
        if np.count_nonzero(self.normal) < 100:
            return {}
        scores = {}
        for modality, voxels in self.small_images.items():
            inside = voxels[self.normal]
            median = np.median(inside)
            spread = 1.4826 * np.median(np.abs(inside - median))
            if spread > 0:
                scores[modality] = ((voxels - median) / spread).astype(np.float32)
        return scores


def scaled(scan: Scan, part: Shaped[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """Some of a scan's stored values as the values meant."""
    header = scan.header
    if not header.scaled:
        return part.astype(np.float32)
    return (part.astype(np.float64) * header.slope + header.intercept).astype(np.float32)
