"""Numbers about a label map that a neuroradiologist would look at: pieces, holes, contacts, sizes and places.

They are defined for volumes and for slices, which are cases one voxel thick, and for any scheme.

Conventions
-----------
brain     every labelled voxel, or the case's own mask where it has one
touching  by a face, an edge or a corner, for pieces; by a face, for contacts
share     of the labelled voxels unless said otherwise; logarithms are to base 10
side      `high` where only large values are wrong, `both` where small ones are as well
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, final

import numpy as np
from jaxtyping import Float64
from scipy import ndimage

from glioforge.core import Case, Geometry, LabelMap, LabelScheme, Mask, bounding_box

_LEAST_SHARE = 1e-3
"""Added to shares before their logarithm is taken: what is smaller counts as absent."""
_APART, _SHARE, _CONTACT, _PLACE = 0.003, 0.15, 0.02, 0.02


@final
@dataclass(frozen=True)
class Measure:
    """One number about a label map.

    Args:
        name: What a message calls it.
        value: The number.
        floor: Least standard deviation over real cases that is believed, in its unit.
        side: Which deviations are wrong.
    """

    name: str
    value: float
    floor: float
    side: Literal["high", "both"]


def label_measures(case: Case, scheme: LabelScheme) -> tuple[Measure, ...]:
    """Measure a case's label map; the same names in the same order for all maps of a scheme on one grid.

    Args:
        case: A volume or a slice with labels.
        scheme: Scheme in which they are read.

    Raises:
        CaseError: The case has no label map.
        LabelError: Its labels cannot be read in the scheme.
    """
    labels = case.require_labels().to(scheme)
    brain = labels.foreground if case.brain is None else case.brain
    return (
        *_topology(labels, brain),
        *_texture(labels),
        *_sizes(labels),
        *_places(labels.foreground, labels.geometry),
    )


def _topology(labels: LabelMap, brain: Mask) -> Iterator[Measure]:
    """Pieces and holes."""
    lesion = labels.lesion
    pieces, count = _pieces(lesion)
    yield Measure("share of the brain apart from it", _share_apart(brain), _APART, "high")
    yield Measure("share of holes in the brain", _holes(brain), _APART, "high")
    yield Measure("share of dents in the brain", _dents(brain), 0.01, "high")
    yield Measure("share of the lesion outside the brain", _share(lesion & ~brain, lesion), _APART, "high")
    yield Measure("pieces of the lesion (log)", float(np.log10(1 + count)), 0.2, "high")
    core = labels.region("TC") if "TC" in labels.scheme.regions else lesion & False
    alone = core & ~np.isin(pieces, np.unique(pieces[lesion & ~core]))
    yield Measure("share of tumour core without tumour around it", _share(alone, core), 0.03, "high")


def _texture(labels: LabelMap) -> Iterator[Measure]:
    """Specks and contacts of classes, counted over faces between voxels."""
    values = np.array(sorted(labels.scheme.labels.values()))
    names = {value: name.replace("_", " ") for name, value in labels.scheme.labels.items()}
    contacts, alone = _contacts(labels, values)
    inner = contacts[1:, 1:]
    unlike = float(np.triu(inner, 1).sum() / max(1, np.triu(inner).sum()))
    yield Measure("share of voxels unlike all neighbours", _share(alone, labels.foreground), 0.005, "high")
    yield Measure("share of faces between classes", unlike, 0.02, "both")
    faces = max(1, np.triu(contacts, 1).sum())
    for one, other in combinations(range(len(values)), 2):
        name = f"contact of {names[values[one]]} with {names[values[other]]} (root of share)"
        yield Measure(name, float(np.sqrt(contacts[one, other] / faces)), _CONTACT, "high")


def _sizes(labels: LabelMap) -> Iterator[Measure]:
    """Brain, lesion and classes."""
    brain, unit = labels.foreground, labels.geometry.voxel_volume / 1000
    yield Measure("brain volume (log ml)", float(np.log10(1 + brain.sum() * unit)), 0.03, "both")
    yield Measure("share of lesion (log)", _log_share(labels.lesion, brain), _SHARE, "both")
    # By value: a scheme that was read from a file may list its classes in another order.
    for name in sorted(labels.scheme.labels, key=labels.scheme.labels.__getitem__):
        if name != "background":
            share = _log_share(labels.region(name), brain)
            yield Measure(f"share of {name.replace('_', ' ')} (log)", share, _SHARE, "both")


def _places(brain: Mask, geometry: Geometry) -> Iterator[Measure]:
    """Middle and extent of the brain as shares of the grid, and its likeness to its mirror image."""
    box = bounding_box(brain)
    for axis, size in enumerate(brain.shape):
        if size == 1:
            continue
        first, last = (box[axis].start, box[axis].stop) if box else (size // 2, size // 2)
        yield Measure(f"middle of the brain along axis {axis}", (first + last) / 2 / size, _PLACE, "both")
        yield Measure(f"extent of the brain along axis {axis}", (last - first) / size, _PLACE, "both")
    across = geometry.world_axes.index(0)
    if brain.shape[across] > 1:
        yield Measure("asymmetry of the brain", _asymmetry(brain, across), 0.03, "high")


def _pieces(mask: Mask) -> tuple[np.ndarray, int]:
    """Number the pieces of a mask."""
    pieces, count = ndimage.label(mask, ndimage.generate_binary_structure(3, 3))
    return pieces, int(count)


def _share_apart(mask: Mask) -> float:
    """Share of a mask outside its largest piece."""
    pieces, count = _pieces(mask)
    sizes = np.bincount(pieces.ravel())[1:]
    return float(1 - sizes.max() / sizes.sum()) if count else 0.0


def _holes(mask: Mask) -> float:
    """Share of background that the mask encloses; within the plane for slices."""
    flat = mask.squeeze(axis=tuple(axis for axis, size in enumerate(mask.shape) if size == 1))
    filled = ndimage.binary_fill_holes(flat).reshape(mask.shape) if flat.ndim else mask
    return _share(filled & ~mask, mask)


def _dents(mask: Mask) -> float:
    """Share of background that closing the mask by three voxels adds, holes included; within the plane for slices."""
    flat = mask.squeeze(axis=tuple(axis for axis, size in enumerate(mask.shape) if size == 1))
    if not flat.ndim:
        return 0.0
    closed = ndimage.binary_closing(np.pad(flat, 3), iterations=3)
    inner = closed[tuple(slice(3, -3) for _ in range(flat.ndim))].reshape(mask.shape)
    return _share(inner & ~mask, mask)


def _contacts(labels: LabelMap, values: np.ndarray) -> tuple[Float64[np.ndarray, "class class"], Mask]:
    """Faces between voxels of each two classes, symmetric; and labelled voxels unlike all their neighbours."""
    table = np.zeros(256, dtype=np.int64)
    table[values] = np.arange(len(values))
    ranks = table[labels.voxels]
    counts = np.zeros(len(values) ** 2)
    alone = labels.foreground.copy()
    for axis in range(3):
        low, high = (
            tuple(part if a == axis else slice(None) for a in range(3)) for part in (slice(None, -1), slice(1, None))
        )
        counts += np.bincount((ranks[low] * len(values) + ranks[high]).ravel(), minlength=len(counts))
        like = ranks[low] == ranks[high]
        alone[low] &= ~like
        alone[high] &= ~like
    square = counts.reshape(len(values), -1)
    return square + square.T - np.diag(np.diag(square)), alone


def _asymmetry(mask: Mask, axis: int) -> float:
    """One less the Dice overlap with the mirror image across the middle of the mask's extent; 0 where it is empty."""
    box = bounding_box(mask)
    if box is None:
        return 0.0
    cut = np.take(mask, range(box[axis].start, box[axis].stop), axis=axis)
    return 1 - _share(cut & np.flip(cut, axis), cut)


def _share(part: Mask, whole: Mask) -> float:
    """Voxels of a part over those of the whole; 0 where there is no whole."""
    return float(np.count_nonzero(part) / max(1, int(np.count_nonzero(whole))))


def _log_share(part: Mask, whole: Mask) -> float:
    """Logarithm of a share."""
    return float(np.log10(_share(part, whole) + _LEAST_SHARE))
