"""Blend a pasted part into its surroundings: hard, over a soft edge, or in the gradient domain.

Conventions
-----------
part   z-scores of what is pasted, on the host's grid
mask   voxels that are pasted; never empty

Source: Pérez, Gangnet & Blake 2003, "Poisson image editing", ACM Transactions
on Graphics 22(3), equation 4: the correction is the membrane that takes the
difference between host and part on the border, and has no Laplacian inside.
"""

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg

from glioforge.core import bounding_box

Blend: TypeAlias = Literal["hard", "soft", "poisson", "soft_poisson"]
"""How a part meets its surroundings."""

Images = Float32[np.ndarray, "contrast i j k"]
Mask = Bool[np.ndarray, "i j k"]

_TOLERANCE = 1e-3


def blended(
    host: Images, part: Images, mask: Mask, spacing: tuple[float, float, float], how: Blend, edge_mm: float
) -> Images:
    """Return the host with a part pasted.

    `soft_poisson` takes half of the membrane's correction, so that a lesion
    keeps half of its own brightness.

    Args:
        host: What is pasted into.
        part: What is pasted.
        mask: Where.
        spacing: Voxel size in mm.
        how: Kind of edge.
        edge_mm: Width of a soft edge, inside the mask.
    """
    if how == "hard":
        return np.where(mask, part, host)
    if how == "soft":
        inside = ndimage.distance_transform_edt(mask, spacing)
        share = np.clip(inside / max(edge_mm, 1e-6), 0, 1).astype(np.float32)
        return np.asarray(host + share * (part - host), dtype=np.float32)
    strength = np.float32(1.0 if how == "poisson" else 0.5)
    return np.where(mask, part + strength * _membrane(host - part, mask), host)


def _membrane(difference: Images, mask: Mask) -> Images:
    """Smooth field that equals the difference just outside a mask, and 0 further away.

    Where the mask reaches the edge of the array there is no border, and the field has no slope.
    """
    box = bounding_box(mask, 1)
    result = np.zeros_like(difference)
    if box is None:
        return result
    inner = mask[box]
    numbers = np.full(inner.shape, -1, dtype=np.int64)
    count = int(inner.sum())
    numbers[inner] = np.arange(count)
    system, border = _laplacian(numbers, count)
    outer = np.where(inner, 0.0, difference[:, *box]).reshape(len(difference), -1).astype(np.float64)
    for field, values in zip(result[:, *box], outer, strict=True):
        right = border @ values
        # The mean of the border is exact for a constant difference, and near the solution otherwise.
        touched = np.asarray(border.sum(axis=0)).ravel() > 0
        start = np.full(count, values[touched].mean() if touched.any() else 0.0)
        found, _ = cg(system, right, x0=start, rtol=_TOLERANCE, maxiter=500)
        field[inner] = found
    return result


def _laplacian(numbers: np.ndarray, count: int) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Seven-point Laplacian of the masked voxels, and the matrix that brings in the values around them."""
    rows, columns, around_rows, around_columns = [], [], [], []
    flat = np.arange(numbers.size).reshape(numbers.shape)
    degree = np.zeros(count)
    for axis in range(3):
        ends = [[slice(None)] * 3 for _ in range(2)]
        ends[0][axis], ends[1][axis] = slice(1, None), slice(None, -1)
        for here, there in (ends, ends[::-1]):
            mine, other, place = numbers[tuple(here)], numbers[tuple(there)], flat[tuple(there)]
            inside = mine >= 0
            degree += np.bincount(mine[inside], minlength=count)
            both = inside & (other >= 0)
            rows.append(mine[both])
            columns.append(other[both])
            rim = inside & (other < 0)
            around_rows.append(mine[rim])
            around_columns.append(place[rim])
    row, column = np.concatenate(rows), np.concatenate(columns)
    neighbours = sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(count, count))
    row, column = np.concatenate(around_rows), np.concatenate(around_columns)
    border = sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(count, numbers.size))
    # The smallest shift keeps the matrix invertible where a mask fills the array and nothing is known of its border.
    return (sparse.diags(degree + 1e-9) - neighbours).tocsr(), border
