"""What looks like tumour and is none: resection cavities, bright caps of the ventricles, vessel-like spots.

Caps and spots get labels of their own, which are normal tissue (scheme
`complete_distractors`); a cavity gets that of a resection cavity where the
training cases have one, else that of CSF, which fills it.
"""

from typing import Protocol

import numpy as np
from jaxtyping import Bool, Int64
from scipy import ndimage

from glioforge.core import LabelMap, LabelVoxels, bounding_box
from glioforge.labelmaps.hosts import Host
from glioforge.lesions import CSF, GREY, WHITE, is_lesion

_CAP_MM = (2.0, 5.0)
_HORN = 0.3
_SPOTS = (3, 12)
_SPOT_MM = (0.8, 1.6)
_LENGTH_MM = (3.0, 25.0)
_CAVITY_MM = (7.0, 18.0)

Mask = Bool[np.ndarray, "i j k"]


class Draw(Protocol):
    """Draws one kind of distractor into the voxels of a map, in place."""

    def __call__(self, voxels: LabelVoxels, host: Host, value: int, rng: np.random.Generator) -> None:
        """Write `value` where it lies; lesions stay as they are."""
        ...


def with_distractor(labels: LabelMap, host: Host, kind: str, cavity: str, rng: np.random.Generator) -> LabelMap:
    """Return the map with a distractor; without a place for it the map stays as it is.

    Args:
        labels: Map drawn in this host.
        host: Gives ventricles and midline.
        kind: A kind of `DistractorSpec`.
        cavity: Name of the label of a cavity.
        rng: Source of the draws.
    """
    draw, name = _KINDS[kind]
    voxels = labels.voxels.copy()
    draw(voxels, host, labels.scheme.value(name or cavity), rng)
    return labels.with_voxels(voxels)


def _caps(voxels: LabelVoxels, host: Host, value: int, rng: np.random.Generator) -> None:
    """White matter next to the front and back horns of the lateral ventricles."""
    box = bounding_box(host.ventricles, 8)
    if box is None:
        return
    spacing = host.labels.geometry.spacing
    inside, inner = voxels[box], host.ventricles[box]
    axis = host.labels.geometry.world_axes.index(1)
    length = np.flatnonzero(inner.any(axis=tuple(a for a in range(3) if a != axis)))
    share = (np.arange(inside.shape[axis]) - length[0]) / max(length[-1] - length[0], 1)
    horn = ((share < _HORN) | (share > 1 - _HORN)).reshape([-1 if a == axis else 1 for a in range(3)])
    distance = ndimage.distance_transform_edt(~inner, spacing)
    reach = rng.uniform(*_CAP_MM) * np.exp(0.4 * _smooth(rng, inside.shape, 4.0, spacing))
    inside[(distance <= reach) & horn & (inside == WHITE)] = value


def _spots(voxels: LabelVoxels, host: Host, value: int, rng: np.random.Generator) -> None:
    """Short curved tubes in sulci and cortex."""
    spacing = np.array(host.labels.geometry.spacing)
    places = np.flatnonzero(((voxels == CSF) | (voxels == GREY)).ravel())
    if not places.size:
        return
    for _ in range(int(rng.integers(_SPOTS[0], _SPOTS[1] + 1))):
        start = np.array(np.unravel_index(places[rng.integers(places.size)], voxels.shape)) * spacing
        path = _path(start, float(rng.uniform(*_LENGTH_MM)), rng)
        _tube(voxels, path, float(rng.uniform(*_SPOT_MM)), spacing, value)


def _path(start: np.ndarray, length: float, rng: np.random.Generator) -> np.ndarray:
    """Points in mm along a curve whose direction changes slowly, half a millimetre apart."""
    steps = max(int(length / 0.5), 2)
    turns = np.cumsum(rng.standard_normal((steps, 3)) * 0.12, axis=0) + rng.standard_normal(3)
    ways = turns / np.maximum(np.linalg.norm(turns, axis=1, keepdims=True), 1e-6) * 0.5
    return np.asarray(start + np.cumsum(ways, axis=0))


def _tube(voxels: LabelVoxels, path: np.ndarray, radius: float, spacing: np.ndarray, value: int) -> None:
    """Voxels of normal tissue within a radius of a curve; at least those on it."""
    low = np.maximum(np.floor((path.min(axis=0) - radius) / spacing).astype(int), 0)
    high = np.minimum(np.ceil((path.max(axis=0) + radius) / spacing).astype(int) + 1, voxels.shape)
    if np.any(low >= high):
        return
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    line: Int64[np.ndarray, "3 n"] = np.rint(path / spacing).astype(np.int64).T - low[:, None]
    line = line[:, np.all((line >= 0) & (line < (high - low)[:, None]), axis=0)]
    on = np.zeros(tuple(high - low), dtype=bool)
    on[tuple(line)] = True
    if not on.any():
        return
    near = ndimage.distance_transform_edt(~on, spacing) <= max(radius - float(spacing.min()) / 2, 0.0)
    inside = voxels[box]
    inside[(near | on) & (inside > 0) & ~is_lesion(inside)] = value


def _cavity(voxels: LabelVoxels, host: Host, value: int, rng: np.random.Generator) -> None:
    """An uneven ball in the white matter or cortex of a hemisphere, filled with fluid, off midline and lesion."""
    spacing = np.array(host.labels.geometry.spacing)
    coarse, parts = host.places.coarse, host.parts
    shut = ndimage.binary_dilation(parts.ventricle | parts.brainstem | parts.below | parts.midline)
    places = np.argwhere((coarse.voxels == WHITE) & ~shut) * np.array(coarse.steps) + np.array(coarse.phase)
    if not len(places):
        return
    radius = float(rng.uniform(*_CAVITY_MM))
    centre = places[rng.integers(len(places))] * spacing
    low = np.maximum(np.floor((centre - 1.8 * radius) / spacing).astype(int), 0)
    high = np.minimum(np.ceil((centre + 1.8 * radius) / spacing).astype(int) + 1, voxels.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    lines = [(np.arange(a, b) * s - c) ** 2 for a, b, s, c in zip(low, high, spacing, centre, strict=True)]
    away = np.sqrt(lines[0][:, None, None] + lines[1][:, None] + lines[2])
    inside = voxels[box]
    uneven = np.exp(0.25 * _smooth(rng, inside.shape, 5.0, tuple(spacing)))
    solid = (inside == WHITE) | (inside == GREY) | (inside == CSF)
    inside[(away <= radius * uneven) & solid] = value


def _smooth(
    rng: np.random.Generator, shape: tuple[int, ...], width_mm: float, spacing: tuple[float, ...]
) -> np.ndarray:
    """Smooth field of mean 0 and variance 1."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), [width_mm / s for s in spacing], mode="reflect")
    return np.asarray(field / max(float(field.std()), 1e-9))


_KINDS: dict[str, tuple[Draw, str]] = {
    "cavity": (_cavity, ""),
    "ventricle_caps": (_caps, "ventricle_cap"),
    "vessel_spots": (_spots, "vessel_spot"),
}
"""What draws each kind, and the label that it writes; empty for that of a cavity."""
