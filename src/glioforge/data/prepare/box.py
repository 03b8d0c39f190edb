"""Boxes around masks, found in the order in which voxels lie in memory."""

import numpy as np
from jaxtyping import Bool

Box = tuple[slice, slice, slice]


def box_of(mask: Bool[np.ndarray, "i j k"]) -> Box | None:
    """Smallest box around a mask; none for an empty one.

    Example:
        >>> mask = np.zeros((4, 4, 4), dtype=bool)
        >>> mask[1:3, 2, 0] = True
        >>> box_of(mask)
        (slice(1, 3, None), slice(2, 3, None), slice(0, 1, None))
    """
    turned = mask.T if mask.flags.f_contiguous else mask
    plane = np.any(turned, axis=0)
    sides = [_side(along) for along in (np.any(turned, axis=(1, 2)), np.any(plane, axis=1), np.any(plane, axis=0))]
    if sides[0] is None or sides[1] is None or sides[2] is None:
        return None
    box = (sides[0], sides[1], sides[2])
    return (box[2], box[1], box[0]) if turned is not mask else box


def _side(along: Bool[np.ndarray, "n"]) -> slice | None:
    """From the first to behind the last that is true."""
    found = np.flatnonzero(along)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else None
