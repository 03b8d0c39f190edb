"""Likeness of coarse pictures under an orbit: mirror images, small turns and shifts of one of them.

Every element of the orbit is a sparse matrix of linear interpolation on the
grid, so that a whole set of pictures is moved by one product, and all pairs of two
sets are compared by one matrix product an element and channel.

Conventions
-----------
pictures    float `(case, channel, cell)`, the cells of a grid of 2 or 3 axes in C order; the first axis is left-right
middle      mean picture of people whom nothing was trained on; what all heads share is taken away with it
likeness    correlation of what is left, -1 to 1, the largest over the orbit; 0 for an empty picture
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Final, final

import numpy as np
from jaxtyping import Float, Float32
from scipy import sparse

Pictures = Float[np.ndarray, "case channel cell"]
Units = Float32[np.ndarray, "channel case cell"]
Likeness = Float32[np.ndarray, "query reference"]
Shape = tuple[int, ...]

TURN_DEG: Final = 6.0
"""Turn about each axis, both ways."""
CHUNK: Final = 128
"""Queries that are moved and compared at a time, so that memory does not grow with their number."""


@final
@dataclass(frozen=True)
class Group:
    """Channels that are compared together, by the mean of their likenesses.

    Args:
        name: For tables.
        channels: Numbers of the channels; a channel that both sides lack (constant) counts as 0.
        crossed: Whether each channel is compared with the others instead of itself, and the best pair counts.
    """

    name: str
    channels: tuple[int, ...]
    crossed: bool = False


@lru_cache(maxsize=8)
def orbit(shape: Shape) -> tuple[sparse.csr_array, ...]:
    """Return the moves of a grid as sparse matrices `(cell, cell)`: as it is, turned, shifted, and all of it mirrored.

    Args:
        shape: Grid of 2 or 3 axes.

    Example:
        >>> len(orbit((4, 4))), len(orbit((4, 4, 4)))
        (14, 26)
    """
    axes = len(shape)
    turns = [
        _turn(axes, plane, sign * np.deg2rad(TURN_DEG)) for plane in combinations(range(axes), 2) for sign in (1, -1)
    ]
    shifts = [sign * row for row in np.eye(axes) for sign in (1, -1)]
    nothing = np.zeros(axes)
    plain = [_interpolation(shape, matrix, nothing) for matrix in (np.eye(axes), *turns)]
    plain += [_interpolation(shape, np.eye(axes), shift) for shift in shifts]
    mirror = np.eye(axes)
    mirror[0, 0] = -1
    mirrored = _interpolation(shape, mirror, nothing)
    return (*plain, *(move @ mirrored for move in plain))


def likeness(
    queries: Float[np.ndarray, "query channel cell"],
    references: Float[np.ndarray, "reference channel cell"],
    middle: Float32[np.ndarray, "channel cell"],
    shape: Shape,
    groups: Sequence[Group],
) -> dict[str, Likeness]:
    """Return how alike each query is to each reference, by group of channels.

    Args:
        queries: Pictures that are moved.
        references: Pictures that stay; either may be empty.
        middle: Mean picture of others.
        shape: Grid of both.
        groups: Channels that are compared together.
    """
    fixed = _units(references, middle)
    found = {group.name: np.full((len(queries), len(references)), -1.0, np.float32) for group in groups}
    moves = orbit(shape)
    for start in range(0, len(queries), CHUNK):
        rows = slice(start, start + CHUNK)
        for number, move in enumerate(moves):
            units = _units(_moved(queries[rows], move), middle)
            own = [mine @ theirs.T for mine, theirs in zip(units, fixed, strict=True)]
            still = number % (len(moves) // 2) == 0
            for group in groups:
                target = found[group.name][rows]
                if not group.crossed:
                    score = np.add.reduce([own[channel] for channel in group.channels])
                    np.maximum(target, score / np.float32(len(group.channels)), out=target)
                elif still:
                    _raise_by_others(target, units, fixed, group.channels)
    return found


def _moved(pictures: Pictures, move: sparse.csr_array) -> Pictures:
    """The pictures under one element of the orbit."""
    flat = pictures.reshape(-1, pictures.shape[-1]).astype(np.float32, copy=False)
    moved: Pictures = np.ascontiguousarray((move @ flat.T).T, dtype=np.float32).reshape(pictures.shape)
    return moved


def _raise_by_others(
    target: Likeness, units: Units, fixed: Float32[np.ndarray, "channel reference cell"], channels: tuple[int, ...]
) -> None:
    """Raise likenesses to those of each channel with another one."""
    for mine, other in product(channels, repeat=2):
        if mine != other:
            np.maximum(target, units[mine] @ fixed[other].T, out=target)


def _units(pictures: Pictures, middle: Float32[np.ndarray, "channel cell"]) -> Units:
    """What distinguishes pictures from the mean one, as vectors of mean 0 and length 1, channels first.

    An empty picture, such as the lesion of a head without one, is 0 and resembles nothing.
    """
    apart = np.ascontiguousarray((pictures - middle).transpose(1, 0, 2), dtype=np.float32)
    apart[~pictures.any(axis=-1).T] = 0
    apart -= apart.mean(axis=-1, keepdims=True)
    length = np.sqrt(np.einsum("cnx,cnx->cn", apart, apart))[..., None]
    apart /= np.where(length > 1e-6, length, 1)
    return apart


def _turn(axes: int, plane: tuple[int, int], angle: float) -> np.ndarray:
    """Matrix of a turn in the plane of two axes."""
    matrix = np.eye(axes)
    first, second = plane
    matrix[[first, second], [first, second]] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def _interpolation(shape: Shape, matrix: np.ndarray, shift: np.ndarray) -> sparse.csr_array:
    """Linear interpolation at the places where a motion about the middle carries each cell; 0 beyond the grid."""
    cells = np.indices(shape).reshape(len(shape), -1)
    middle = (np.array(shape)[:, None] - 1) / 2
    at = matrix @ (cells - middle) + middle + shift[:, None]
    low = np.floor(at + 1e-9).astype(int)
    part = at - low
    rows, columns, weights = [], [], []
    for corner in product((0, 1), repeat=len(shape)):
        place = low + np.array(corner)[:, None]
        weight = np.where(np.array(corner)[:, None] == 1, part, 1 - part).prod(axis=0)
        inside = ((place >= 0) & (place < np.array(shape)[:, None])).all(axis=0) & (weight > 1e-9)
        rows.append(np.flatnonzero(inside))
        columns.append(np.ravel_multi_index(tuple(place[:, inside]), shape))
        weights.append(weight[inside])
    size = int(np.prod(shape))
    entries = (np.concatenate(weights).astype(np.float32), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_array(entries, shape=(size, size))
