"""Mirroring and shifting a label map before images are made of it, and moving them back.

A network that pools treats the voxels of its grid unequally, and one that was
trained on few heads treats left and right unequally.  Draws made in another
place each time don't share these faults, so that they leave the mean of draws;
single draws stay as sharp as they were.
"""

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from jaxtyping import Float32

from glioforge.core import LabelMap

MOST: Final = 8
"""Shifts stay below this many voxels: a grid halved three times repeats itself then."""


@final
@dataclass(frozen=True)
class Move:
    """A shift towards higher indices, then a swap of the first axis.

    Args:
        shift: Voxels along each axis, none negative.
        swapped: Whether left and right are swapped.
    """

    shift: tuple[int, int, int] = (0, 0, 0)
    swapped: bool = False

    @classmethod
    def drawn(cls, rng: np.random.Generator, axes: tuple[int, ...], *, swap: bool) -> "Move":
        """A move along some axes; left and right are swapped in half of them, where that is allowed."""
        steps = rng.integers(MOST, size=3)
        shift = tuple(int(step) if axis in axes else 0 for axis, step in enumerate(steps))
        return cls((shift[0], shift[1], shift[2]), bool(rng.integers(2)) and swap)

    def there(self, labels: LabelMap) -> LabelMap:
        """The moved map, on a grid that is larger by the shift, with background where nothing was."""
        voxels = np.pad(labels.voxels, [(step, 0) for step in self.shift])
        turned = np.ascontiguousarray(voxels[::-1] if self.swapped else voxels)
        return replace(labels, voxels=turned, geometry=replace(labels.geometry, shape=turned.shape))

    def back(self, images: Float32[np.ndarray, "contrasts _ _ _"]) -> Float32[np.ndarray, "contrasts i j k"]:
        """Images of the moved map on the grid of the map itself.

        Example:
            >>> move = Move((1, 0, 2), swapped=True)
            >>> images = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
            >>> moved = np.pad(images, [(0, 0), (1, 0), (0, 0), (2, 0)])[:, ::-1]
            >>> bool((move.back(moved) == images).all())
            True
        """
        turned = images[:, ::-1] if self.swapped else images
        i, j, k = self.shift
        return turned[:, i:, j:, k:]
