"""Part of a stored array: only the voxels that may differ from 0 are held."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Shaped


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
