"""Smoothing across slices: volumes synthesized slice by slice, made as even from slice to slice as scans are.

A generator of slices chooses the slowly varying part of each slice on its own,
which shows as streaks in the two planes that it did not paint.  After training,
volumes are synthesized for training subjects, and for each contrast the smallest
width of a Gaussian along the slice axis is kept at which they are no rougher
across slices than the scans are, or than they are within slices.  Only what
varies slowly within a slice is smoothed, relative to the mean of its class, so
that class borders and fine structure stay.

Conventions
-----------
images      z-scores `(contrast, i, j, k)`
width       standard deviation in slices, one per contrast; 0 leaves a contrast as it is
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float32, Integer
from scipy.ndimage import gaussian_filter1d

from glioforge.core import Mask, Voxels
from glioforge.metrics import gradient_ratio
from glioforge.synthesis.slices import BrainBox

WIDTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Widths that are tried, in slices. The limit was set on 10 real subjects, where wider ones cost 0.006 of SSIM."""
CASES: Final = 8
"""Training cases that widths are measured on, at most."""
_SLOW: Final = 1.5
"""Standard deviation in voxels of the blur within a slice, above which variation counts as slow."""
_LEAST: Final = 1e-6

Images = Float32[np.ndarray, "contrast i j k"]
Classes = Integer[np.ndarray, "i j k"]


@final
@dataclass(frozen=True, eq=False)
class Example:
    """A training case with a synthetic volume of its label map.

    Args:
        synthetic: Images of the trained generator.
        scans: Images of the case; NaN for a contrast that it lacks.
        classes: Voxels of the label map, 0 outside the brain.
        lesion: Where roughness is measured; the whole brain if empty.
    """

    synthetic: Images
    scans: Images
    classes: Classes
    lesion: Mask


def smooth_across(images: Images, classes: Classes, widths: Iterable[float], axis: int) -> Images:
    """Smooth the slowly varying part of each contrast along an axis; voxels outside the brain are left as they are.

    Args:
        images: Volumes that were synthesized slice by slice.
        classes: Voxels of their label map, 0 outside the brain.
        widths: Of each contrast.
        axis: Axis across the slices.
    """
    smoothed, box = images.copy(), BrainBox.of(classes > 0)
    place = tuple(slice(low, high + 1) for low, high in zip(box.low, box.high, strict=True))
    within = [a for a in range(3) if a != axis]
    inside = (classes[place] > 0).astype(np.float32)
    weight = _blurred(inside, within, _SLOW)
    for contrast, width in enumerate(widths):
        if width > 0:
            detail = _without_class_means(images[contrast][place], classes[place])
            slow = _blurred(detail * inside, within, _SLOW) / np.maximum(weight, np.float32(_LEAST)) * inside
            even = _blurred(slow, [axis], width) / np.maximum(_blurred(inside, [axis], width), np.float32(_LEAST))
            smoothed[contrast][place] += (even - slow) * inside
    return smoothed


def measure_widths(examples: Iterable[Example], axis: int, contrasts: int) -> list[float]:
    """Smallest width per contrast at which synthetic volumes are no rougher across slices than needed.

    The limit is the mean roughness (`metrics.texture.gradient_ratio`) of the scans, or 1 if that is larger: acquisition
    with thick slices may leave scans smoother across slices, which is not the generator's to imitate.

    Args:
        examples: Training cases, at least one.
        axis: Axis across the slices.
        contrasts: Number of contrasts.

    Returns:
        One width per contrast: the largest of `WIDTHS` where none suffices, 0 for a contrast that no case has.
    """
    real: list[list[float]] = []
    synthetic: list[list[list[float]]] = []
    for example in examples:
        where = example.lesion if example.lesion.any() else example.classes > 0
        real.append([gradient_ratio(scan, where, axis) for scan in example.scans])
        volumes = [smooth_across(example.synthetic, example.classes, [w] * contrasts, axis) for w in WIDTHS]
        synthetic.append([[gradient_ratio(image, where, axis) for image in volume] for volume in volumes])
    return [_smallest(np.array(real)[:, c], np.array(synthetic)[:, :, c]) for c in range(contrasts)]


def _smallest(real: np.ndarray, synthetic: np.ndarray) -> float:
    """The smallest width whose mean over `(case, width)` is within the limit that the scans set."""
    known = np.isfinite(real)
    if not known.any():
        return 0.0
    limit = max(float(real[known].mean()), 1.0)
    within = np.flatnonzero(synthetic[known].mean(axis=0) <= limit)
    return WIDTHS[int(within[0]) if len(within) else -1]


def _without_class_means(image: Voxels, classes: Classes) -> Voxels:
    """The image minus the mean of each class."""
    values = classes.ravel()
    totals = np.bincount(values, image.ravel().astype(np.float64))
    means = totals / np.maximum(np.bincount(values), 1)
    difference: Voxels = image - means.astype(np.float32)[classes]
    return difference


def _blurred(image: Voxels, axes: Iterable[int], width: float) -> Voxels:
    """Gaussian blur along some axes, with zeros outside the grid."""
    for axis in axes:
        image = gaussian_filter1d(image, width, axis=axis, mode="constant", truncate=3.0)
    return image
