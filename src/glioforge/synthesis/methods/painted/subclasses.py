"""Intensity subclasses: each class split by the brightness of its voxels, measured in every training case.

A label map has few classes, and each holds more than one tissue: splitting
them by intensity is what lets images painted from labels train a segmenter
(FetalSynthSeg, arXiv:2411.06842).  The voxels of a class are projected on the
direction along which they differ most over the contrasts, one direction for
all cases, and divided into clusters along it, darkest first.

Much of what varies in a class is partial volume: grey matter is brighter next to
white.  How closely the brightness of a voxel follows that of the classes around
it (`surroundings`) is measured as a correlation, so that subclasses can be laid
out in a new label map where they lie in scans.

Conventions
-----------
means, deviations   `(case, class, subclass, contrast)`, z-scores; `nan` where a case lacks class or contrast
shares              `(case, class, subclass)`, each class sums to 1; 0 where a case lacks the class
directions          `(class, contrast)`, of length 1
followed            `(class,)`, correlation of brightness with that of the surroundings, 0 to 1
noise               `(case, contrast)`, standard deviation of the finest grain; `nan` where a case lacks the contrast
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float32, Float64, Integer
from scipy import ndimage

from glioforge.core import Case, LabelScheme, Modality
from glioforge.synthesis import class_indices

REACH_MM = 2.0
"""Width of the neighbourhood whose classes partial volume draws on."""
_SAMPLES = 2000
_FEWEST_VOXELS = 8
_ROUNDS = 12
_NORMAL = 1.4826

Samples = list[list[np.ndarray]]


@final
@dataclass(frozen=True, eq=False)
class Subclasses:
    """Statistics of the subclasses of every training case; see the module's conventions."""

    means: Float64[np.ndarray, "case class subclass contrast"]
    deviations: Float64[np.ndarray, "case class subclass contrast"]
    shares: Float64[np.ndarray, "case class subclass"]
    noise: Float64[np.ndarray, "case contrast"]
    directions: Float64[np.ndarray, "class contrast"]
    followed: Float64[np.ndarray, "class"]

    @classmethod
    def of(cls, cases: Iterable[Case], modalities: Sequence[Modality], scheme: LabelScheme, count: int) -> "Subclasses":
        """Measure cases with labels.

        Args:
            cases: At least one.
            modalities: Contrasts in this order; a case may lack some.
            scheme: Scheme of their maps.
            count: Subclasses of each class, at least 1.
        """
        samples: Samples = []
        around: Samples = []
        noise = []
        for case in cases:
            images, labels = _images(case, modalities), case.require_labels()
            classes = class_indices(labels.voxels, scheme)
            places = [_places((classes == place) & (classes > 0)) for place in range(len(scheme.labels))]
            samples.append([_at(images, chosen) for chosen in places])
            near = surroundings(classes, _means_of(samples[-1], scheme), labels.geometry.spacing)
            around.append([_at(near, chosen) for chosen in places])
            noise.append([_noise_of(image, labels.voxels) for image in images])
        everyone = range(len(scheme.labels))
        directions = np.stack([_direction([case[place] for case in samples]) for place in everyone])
        measured = [[_split(s, d, count) for s, d in zip(case, directions, strict=True)] for case in samples]
        means, deviations, shares = (np.array([[entry[n] for entry in case] for case in measured]) for n in range(3))
        followed = [
            _correlation([case[place] @ directions[place] for case in kind] for kind in (samples, around))
            for place in everyone
        ]
        return cls(means, deviations, shares, np.array(noise), directions, np.array(followed))

    @classmethod
    def even(
        cls,
        means: Float64[np.ndarray, "case class contrast"],
        deviations: Float64[np.ndarray, "case class contrast"],
        count: int,
    ) -> "Subclasses":
        """Give all subclasses of a class the statistics of the whole class; noise and directions are not known.

        Args:
            means: Mean of each class, `nan` where a case lacks it; the background is passed over.
            deviations: Standard deviation within each class, as `means`.
            count: Subclasses of each class, at least 1.
        """
        cases, classes, contrasts = means.shape
        mean, deviation = (np.repeat(table[:, :, None], count, axis=2) for table in (means, deviations))
        mean[:, 0] = deviation[:, 0] = np.nan
        shares = np.isfinite(mean).any(axis=-1) / count
        noise, directions = np.full((cases, contrasts), np.nan), np.zeros((classes, contrasts))
        return cls(mean, deviation, shares, noise, directions, np.zeros(classes))

    def completed_by(self, other: "Subclasses") -> "Subclasses":
        """Take means and deviations from others in classes of which no case has enough voxels to be divided."""
        without = ~np.isfinite(self.means).any(axis=(0, 2))[:, None]
        means, deviations = (
            np.where(without, getattr(other, name), getattr(self, name)) for name in ("means", "deviations")
        )
        return replace(self, means=means, deviations=deviations)


def surroundings(
    classes: Integer[np.ndarray, "i j k"], means: Float64[np.ndarray, "class contrast"], spacing: tuple[float, ...]
) -> list[Float32[np.ndarray, "i j k"]]:
    """Brightness of the classes around every voxel, one image a contrast.

    Args:
        classes: Rank of each voxel's class; the background counts as fluid where `means` says so.
        means: Mean of each class.
        spacing: Voxel size in mm.
    """
    sigma = [REACH_MM / s for s in spacing]
    painted = (column.astype(np.float32)[classes] for column in np.nan_to_num(means).T)
    return [ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=2.0) for image in painted]


def rim_as_fluid(table: np.ndarray, scheme: LabelScheme) -> np.ndarray:
    """Table by class in which the background, class 0, has the row of CSF, if there is one."""
    if "csf" not in scheme.labels:
        return table
    copy = table.copy()
    copy[0] = table[sorted(scheme.labels.values()).index(scheme.value("csf"))]
    return copy


def _images(case: Case, modalities: Sequence[Modality]) -> list[np.ndarray]:
    """Images in order; `nan` in place of a contrast that the case lacks."""
    absent = np.full(case.geometry.shape, np.nan, dtype=np.float32)
    return [case.images[m].voxels if m in case.images else absent for m in modalities]


def _places(inside: np.ndarray) -> np.ndarray:
    """Flat indices of evenly spread voxels of a mask."""
    places = np.flatnonzero(inside)
    return places[:: max(1, len(places) // _SAMPLES)]


def _at(images: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
    """Intensities at flat indices, `(voxel, contrast)`."""
    return np.stack([image.ravel()[places] for image in images], axis=-1).astype(np.float64)


def _means_of(samples: Sequence[np.ndarray], scheme: LabelScheme) -> np.ndarray:
    """Mean of each class in one case; 0 for a class that it lacks."""
    means = np.stack([np.nan_to_num(s.mean(axis=0)) if len(s) else np.zeros(s.shape[1]) for s in samples])
    return rim_as_fluid(means, scheme)


def _correlation(lines: Iterable[list[np.ndarray]]) -> float:
    """Correlation of two quantities within cases, 0 at least; 0 where one does not vary."""
    first, second = ([np.nan_to_num(line - line.mean()) for line in kind if len(line)] for kind in lines)
    if not first:
        return 0.0
    one, two = np.concatenate(first), np.concatenate(second)
    scale = float(np.sqrt((one @ one) * (two @ two)))
    return float(np.clip(one @ two / scale, 0, 1)) if scale > 0 else 0.0


def _direction(samples: list[np.ndarray]) -> np.ndarray:
    """Direction of greatest variance within cases; its largest component is positive."""
    contrasts = samples[0].shape[1]
    away = [s - s.mean(axis=0) for s in samples if len(s) >= _FEWEST_VOXELS]
    pooled = np.nan_to_num(np.concatenate(away)) if away else np.zeros((0, contrasts))
    _, vectors = np.linalg.eigh(pooled.T @ pooled + 1e-9 * np.eye(contrasts))
    direction: np.ndarray = vectors[:, -1]
    return direction * np.sign(direction[np.abs(direction).argmax()] or 1.0)


def _split(sample: np.ndarray, direction: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, deviations and shares of the clusters of one class in one case."""
    means = np.full((count, sample.shape[1]), np.nan)
    deviations, shares = means.copy(), np.zeros(count)
    if len(sample) < _FEWEST_VOXELS:
        return means, deviations, shares
    member = _clusters(np.nan_to_num(sample) @ direction, count)
    for number in range(count):
        inside = sample[member == number]
        shares[number] = len(inside) / len(sample)
        means[number], deviations[number] = inside.mean(axis=0), inside.std(axis=0)
    return means, deviations, shares


def _clusters(line: np.ndarray, count: int) -> np.ndarray:
    """Cluster of each number by k-means from its quantiles; by rank alone where a cluster would run empty."""
    ranks = line.argsort(kind="stable").argsort(kind="stable")
    start: np.ndarray = ranks * count // len(line)
    member = start
    for _ in range(_ROUNDS):
        centres = np.array([line[member == number].mean() for number in range(count)])
        following = np.searchsorted((centres[1:] + centres[:-1]) / 2, line)
        if len(np.unique(following)) < count:
            return start
        member = following
    return member


def _noise_of(image: np.ndarray, labels: np.ndarray) -> float:
    """Standard deviation of white noise with the finest grain of an image, within classes; the least of three axes."""
    found = []
    for axis in range(3):
        low, middle, high = (_cut(axis, a, b) for a, b in ((0, -2), (1, -1), (2, None)))
        inside = (labels[middle] > 0) & (labels[low] == labels[middle]) & (labels[high] == labels[middle])
        ripple = (image[low] - 2 * image[middle] + image[high])[inside]
        if ripple.size and np.isfinite(ripple).all():
            found.append(_NORMAL * float(np.median(np.abs(ripple))) / np.sqrt(6))
    return min(found) if found else float("nan")


def _cut(axis: int, first: int, last: int | None) -> tuple[slice, ...]:
    """All voxels but some at the ends of an axis."""
    return tuple(slice(first, last) if a == axis else slice(None) for a in range(3))
