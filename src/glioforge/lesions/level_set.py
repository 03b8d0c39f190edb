"""Nested signed distances, and the choice of the innermost voxels by rank.

A lesion is three nested regions: all of it, tumour core, necrotic core; and where
there was surgery a cavity, within the first and outside the other two.  Each becomes
a signed distance, and a changed lesion takes the voxels of highest distance, as many
as its volume asks for, region within region.  Volumes are met to the voxel, order and
containment of the sub-regions hold by construction, and a lesion that meets the skull
or another lesion gives way there and nowhere else.

Conventions
-----------
fields   float32 `(region, a, b, c)`, mm, positive inside; regions from the
         outside in: the whole lesion, TC, necrotic core; then the cavity where there is one
counts   voxels of each region in the same order
"""

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from glioforge.core import EditError, bounding_box
from glioforge.lesions.patch import CAVITY, CORE, ENHANCING, NECROTIC, OEDEMA, Counts, is_lesion

Fields = Float32[np.ndarray, "region a b c"]

NEAR_MM = 12.0
"""Distance from a region's box up to which its signed distance is exact."""
_FAR = np.float32(-1e4)


def signed_distance(
    mask: Bool[np.ndarray, "a b c"], spacing: tuple[float, float, float]
) -> Float32[np.ndarray, "a b c"]:
    """Distance to the border of a mask in mm, positive inside; very negative everywhere for an empty mask.

    Distances run between voxel centres, from the outermost voxels of the mask;
    the border lies half a voxel outside these.

    Example:
        >>> line = np.array([0, 1, 1, 1, 0], dtype=bool).reshape(5, 1, 1)
        >>> signed_distance(line, (1.0, 1.0, 1.0)).ravel().tolist()
        [-0.5, 0.5, 1.5, 0.5, -0.5]
    """
    if not mask.any():
        return np.full(mask.shape, _FAR, dtype=np.float32)
    if mask.all():
        # Without a voxel outside there is no border; padding puts it just outside the array.
        return signed_distance(np.pad(mask, 1), spacing)[1:-1, 1:-1, 1:-1]
    rim = mask & ~ndimage.binary_erosion(mask, border_value=1)
    distance = ndimage.distance_transform_edt(~rim, spacing).astype(np.float32)
    return np.asarray(np.where(mask, distance, -distance) + np.float32(min(spacing) / 2))


def nested_masks(voxels: UInt8[np.ndarray, "a b c"]) -> tuple[Bool[np.ndarray, "a b c"], ...]:
    """Return the whole lesion, tumour core and necrotic core of lesion labels, and the cavity if there is one."""
    cavity = voxels == CAVITY
    masks = is_lesion(voxels), np.isin(voxels, CORE), voxels == NECROTIC
    return (*masks, cavity) if cavity.any() else masks


def fields_of(voxels: UInt8[np.ndarray, "a b c"], spacing: tuple[float, float, float]) -> Fields:
    """Return the signed distances of the regions.

    The distance is exact near a region; further away than `NEAR_MM` from its
    box it only falls, which is enough to rank voxels.
    """
    return np.stack([_near_field(mask, spacing) for mask in nested_masks(voxels)])


def _near_field(mask: Bool[np.ndarray, "a b c"], spacing: tuple[float, float, float]) -> Float32[np.ndarray, "a b c"]:
    """Signed distance in a box around a mask, and falling values outside it."""
    margin = tuple(int(np.ceil(NEAR_MM / s)) for s in spacing)
    near = bounding_box(mask, (margin[0], margin[1], margin[2]))
    if near is None:
        return signed_distance(mask, spacing)
    inner = signed_distance(mask[near], spacing)
    squares = np.zeros((1, 1, 1), dtype=np.float32)
    for axis, (side, size, s) in enumerate(zip(near, mask.shape, spacing, strict=True)):
        line = np.arange(size)
        gap = np.maximum(np.maximum(side.start - line, line - side.stop + 1), 0) * s
        shape = [1, 1, 1]
        shape[axis] = size
        squares = squares + (gap**2).astype(np.float32).reshape(shape)
    field: np.ndarray = inner.min() - np.sqrt(squares)
    field[near] = inner
    return field


def labels_from(fields: Fields, allowed: Bool[np.ndarray, "a b c"], counts: Counts) -> UInt8[np.ndarray, "a b c"]:
    """Return lesion labels of the asked counts within the allowed voxels, oedema for an outline; 0 elsewhere.

    Raises:
        EditError: More voxels are asked for than are allowed.
    """
    whole = innermost(fields[0], allowed, counts[0])
    if len(counts) == 1:
        return np.where(whole, np.uint8(OEDEMA), np.uint8(0))
    cavity = innermost(fields[3], whole, counts[3]) if len(counts) > 3 else np.zeros_like(whole)
    core = innermost(fields[1], whole & ~cavity, counts[1])
    necrotic = innermost(fields[2], core, counts[2])
    voxels = np.where(whole, np.uint8(OEDEMA), np.uint8(0))
    voxels[cavity] = CAVITY
    voxels[core] = ENHANCING
    voxels[necrotic] = NECROTIC
    return voxels


def innermost(
    field: Float32[np.ndarray, "a b c"], within: Bool[np.ndarray, "a b c"], count: int
) -> Bool[np.ndarray, "a b c"]:
    """The `count` voxels of a mask where a field is highest; of equal ones the first in memory.

    Raises:
        EditError: The mask holds fewer voxels.

    Example:
        >>> field = np.array([[[0.0, 3.0, 1.0, 3.0]]], dtype=np.float32)
        >>> innermost(field, np.ones(field.shape, dtype=bool), 2).astype(int).tolist()
        [[[0, 1, 0, 1]]]
    """
    places = np.flatnonzero(within)
    if count > places.size:
        raise EditError(
            f"a lesion of {count} voxels",
            f"at most the {places.size} voxels of brain around its place",
            "ask for a smaller lesion or another place",
        )
    chosen = np.zeros(within.size, dtype=bool)
    if count:
        values = field.ravel()[places]
        # Partition is linear where sorting is not; ties are cut by the order in memory, so that equal inputs give equal
        # lesions.
        limit = np.partition(values, values.size - count)[values.size - count]
        above, equal = np.flatnonzero(values > limit), np.flatnonzero(values == limit)
        chosen[places[above]] = True
        chosen[places[equal[: count - above.size]]] = True
    return chosen.reshape(within.shape)
