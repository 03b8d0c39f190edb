"""The sound files of one case while the doctor looks at them, the findings about them, and their thumbnails.

Most questions are answered on every second voxel or so, in canonical order,
which is quick and enough; labels are looked at in full.

A finding says what is wrong or remarkable with a case, and what to do about it.
A thumbnail is one axial slice of each contrast with the borders of its labels;
as in reports, anterior is up and the patient's left is on the right.

Conventions
-----------
small     every `step`-th voxel along each axis, canonical (RAS) order
normal    brain voxels without lesion
z         intensity less the median of normal brain, over 1.4826 times its
          median absolute deviation
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Bool, Float32, Integer, Shaped, UInt8
from scipy import ndimage

from glioforge.core import Geometry, GlioforgeError, LabelScheme, Mask, Modality, Volume, bounding_box
from glioforge.data import background_value, largest_part, not_background
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


Severity = Literal["error", "warning", "remark"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "remark")
"""Errors stop `ingest`; warnings are probably mistakes; remarks are good to know."""


@final
@dataclass(frozen=True)
class Finding:
    """One thing found.

    Args:
        severity: How bad it is.
        topic: What it is about, the same words for the same kind of thing.
        case_id: The case; empty where it is about the folder.
        file: The file; empty where it is about the case.
        what: What was found.
        remedy: What to do about it.
    """

    severity: Severity
    topic: str
    case_id: str
    file: str
    what: str
    remedy: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def finding_of(error: GlioforgeError, case_id: str, topic: str) -> Finding:
    """An error, as a finding that does not stop anything.

    Args:
        error: The typed error.
        case_id: The case it is about; empty for the folder.
        topic: What it is about.
    """
    what = f"{error.found}; expected {error.expected}" if error.expected else error.found
    file = error.where if error.where and error.where != case_id else ""
    return Finding("error", topic, case_id, file, what, error.remedy)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings, the worst first, then by case, topic and file.

    Example:
        >>> a, b = Finding("remark", "t", "c", "", "w", "r"), Finding("error", "t", "d", "", "w", "r")
        >>> in_order([a, b])[0].severity
        'error'
    """
    return tuple(sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.case_id, f.topic, f.file)))


SIDE = 144
Tile = UInt8[np.ndarray, "row column 3"]


def thumbnails(case: Opened) -> dict[Modality, Tile]:
    """A tile for each image, through the largest part of the lesion, else the middle of the brain."""
    index = _slice_index(case)
    box = _box(case)
    axes, _ = case.geometry.canonical_axes()
    pixel = (case.geometry.spacing[axes[0]], case.geometry.spacing[axes[1]])
    tiles = {}
    for modality, scan in case.images.items():
        slice_ = scaled(scan, _cropped(case.plane(scan.voxels, index), box))
        tiles[modality] = _tile(slice_, case.backgrounds[modality], pixel)
        if case.values is not None:
            labels = _square(_cropped(case.plane(case.values, index), box), pixel)
            _draw_borders(tiles[modality], labels, case.scheme)
    return tiles


def montage(tiles: Mapping[Modality, Tile], columns: tuple[Modality, ...]) -> UInt8[np.ndarray, "row wide 3"]:
    """Tiles side by side in the order of the columns; grey where a contrast is missing."""
    missing = np.full((SIDE, SIDE, 3), 96, dtype=np.uint8)
    return np.concatenate([tiles.get(modality, missing) for modality in columns], axis=1)


def _slice_index(case: Opened) -> int:
    """Slice with most lesion, else the middle one of the brain."""
    for mask in (None if case.lesion is None else case.small(case.lesion), case.small_brain):
        if mask is not None and mask.any():
            return int(mask.sum(axis=(0, 1)).argmax())
    return case.small_brain.shape[2] // 2


def _box(case: Opened) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the brain lies along right and front, in shares of the image, with a margin; everything without one."""
    shares = []
    box = bounding_box(case.small_brain)
    for axis in (0, 1):
        count = case.small_brain.shape[axis]
        low, high = (box[axis].start - 2, box[axis].stop + 2) if box else (0, count)
        shares.append((max(0.0, low / count), min(1.0, high / count)))
    return shares[0], shares[1]


def _cropped(
    slice_: Shaped[np.ndarray, "x y"], box: tuple[tuple[float, float], tuple[float, float]]
) -> Shaped[np.ndarray, "a b"]:
    """The part of a slice within a box given in shares."""
    (left, right), (back, front) = box
    wide, deep = slice_.shape
    return slice_[int(left * wide) : -int(-right * wide // 1), int(back * deep) : -int(-front * deep // 1)]


def _tile(slice_: Shaped[np.ndarray, "x y"], background: float, spacing: tuple[float, float]) -> Tile:
    """A slice in grey, from its 1st to its 99th percentile, on a square of `SIDE` pixels."""
    shown = slice_[slice_ != background]
    low, high = np.percentile(shown, (1, 99)) if len(shown) else (0.0, 1.0)
    grey = np.clip((slice_ - low) / max(float(high - low), 1e-9), 0, 1) * 230 + 25
    levels = _square(np.where(slice_ == background, 0, grey).astype(np.uint8), spacing)
    return np.repeat(levels[:, :, None], 3, axis=2)


def _square(slice_: Shaped[np.ndarray, "x y"], spacing: tuple[float, float]) -> Shaped[np.ndarray, "row column"]:
    """A slice as seen by a radiologist, with square pixels, in the middle of a square of `SIDE` pixels."""
    extent = [slice_.shape[axis] * spacing[axis] for axis in (0, 1)]
    sizes = [max(1, int(SIDE * length / max(extent))) for length in extent]
    picks = [np.arange(size) * slice_.shape[axis] // size for axis, size in enumerate(sizes)]
    seen = slice_[np.ix_(*picks)][::-1, ::-1].T
    square = np.zeros((SIDE, SIDE), dtype=seen.dtype)
    top, left = (SIDE - seen.shape[0]) // 2, (SIDE - seen.shape[1]) // 2
    square[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return square


def _draw_borders(tile: Tile, labels: Integer[np.ndarray, "row column"], scheme: LabelScheme | None) -> None:
    """Draw the inner border of each label in its colour; of an unknown one in yellow."""
    for value in np.unique(labels[labels != 0]).tolist():
        name = next((n for n, v in scheme.labels.items() if v == value), "") if scheme else ""
        if scheme is not None and name in scheme.tissue:
            continue
        mask = labels == value
        border = mask & ~ndimage.binary_erosion(mask)
        tile[border] = scheme.colours.get(name, (245, 208, 66)) if scheme else (245, 208, 66)
