"""The grain of synthetic images, made like that of scans after training: noise within slices, smoothness across them.

Fine grain is noise that no label map can predict, and a generator that is rewarded for
being near to the scan leaves it out.  What it leaves out is measured by the variance
above the blur of `nn.blocks`: that of the training scans minus that of the images made
for them, well inside the classes, where fine structure is not mistaken for noise.
White noise of the missing variance is added to what is made, with the strength of a
training case drawn at random.

A generator of slices chooses the slowly varying part of each slice on its own,
which shows as streaks in the two planes that it did not paint.  After training,
volumes are synthesized for training subjects, and for each contrast the smallest
width of a Gaussian along the slice axis is kept at which they are no rougher
across slices than the scans are, or than they are within slices.  Only what
varies slowly within a slice is smoothed, relative to the mean of its class, so
that class borders and fine structure stay.

Conventions
-----------
grain       standard deviation in z-scores, `(case, contrast)`
images      z-scores `(contrast, i, j, k)`
width       standard deviation in slices, one per contrast; 0 leaves a contrast as it is
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64, Integer
from scipy.ndimage import gaussian_filter1d
from torch.nn import functional

from glioforge.core import Mask, Voxels
from glioforge.metrics import gradient_ratio
from glioforge.nn import low_pass
from glioforge.synthesis.slices import BrainBox
from glioforge.training import Batch

BLURS = 2
"""Binomial blurs whose remainder counts as fine."""
_NORMAL = 1.4826
"""Standard deviation of normal noise over the median of its absolute value."""

Slabs = Float[torch.Tensor, "batch contrast x y"]


def measure_grain(
    batches: Callable[[int], Batch], make: Callable[[Batch], Slabs], cases: int, steps: int
) -> Float[torch.Tensor, "cases contrast"]:
    """Grain of each training case; one that was not drawn, or lacks a contrast, takes the mean of the others.

    Args:
        batches: Training batches of slices or patches with `images`, `labels` (planes), `brain` and `case`, and
            `available` where contrasts may be missing.
        make: Slabs for a batch, without grain.
        cases: Number of training cases.
        steps: Batches to look at, at least 1.
    """
    contrasts = batches(0)["images"].shape[1]
    missing, voxels = torch.zeros(cases, contrasts), torch.zeros(cases, contrasts)
    for step in range(steps):
        batch = batches(step)
        batch, made = _as_slices(batch, make(batch))
        inside = batch["brain"] & within_classes(batch["labels"][:, batch["labels"].shape[1] // 2])
        count = inside.sum((1, 2))[:, None] * batch.get("available", torch.ones(1, contrasts)).float()
        variance = fine_variance(batch["images"], inside) - fine_variance(made, inside)
        missing.index_add_(0, batch["case"], count * variance)
        voxels.index_add_(0, batch["case"], count)
    seen = voxels > 0
    variance = (missing / voxels.clamp_min(1)).clamp_min(0) / _white_gain()
    average = variance.sum(dim=0) / seen.sum(dim=0).clamp_min(1)
    return torch.where(seen, variance, average).sqrt()


def _as_slices(batch: Batch, made: torch.Tensor) -> tuple[Batch, Slabs]:
    """Patches as slices along their last axis; slices as they are."""
    if made.ndim == 4:
        return batch, made
    depth = made.shape[-1]
    turned = {name: batch[name].movedim(-1, 1).flatten(0, 1) for name in ("images", "labels", "brain")}
    rows = {name: batch[name].repeat_interleave(depth, dim=0) for name in ("case", "available") if name in batch}
    return {**turned, **rows}, made.movedim(-1, 1).flatten(0, 1)


def within_classes(labels: Int64[torch.Tensor, "batch x y"]) -> Bool[torch.Tensor, "batch x y"]:
    """Voxels whose class is that of all voxels the blur reaches."""
    window, values = 2 * BLURS + 1, labels[:, None].float()
    largest = functional.max_pool2d(values, window, 1, BLURS)
    # Largest and smallest label in the window agree only where the window holds one class.
    smallest = -functional.max_pool2d(-values, window, 1, BLURS)
    return (largest == smallest)[:, 0]


def fine_variance(images: Slabs, inside: Bool[torch.Tensor, "batch x y"]) -> Float[torch.Tensor, "batch contrast"]:
    """Variance of what the blur takes away, from its median size, so that a vessel doesn't count as noise.

    A sample without voxels inside has 0.
    """
    fine = (images - low_pass(images, BLURS)).abs()
    medians = [
        sample[:, mask].median(dim=1).values if mask.any() else sample.new_zeros(len(sample))
        for sample, mask in zip(fine, inside, strict=True)
    ]
    return (_NORMAL * torch.stack(medians)).square()


def _white_gain() -> float:
    """Share of white noise's variance that counts as fine."""
    point = torch.zeros(1, 1, 4 * BLURS + 3, 4 * BLURS + 3)
    point[..., 2 * BLURS + 1, 2 * BLURS + 1] = 1
    return float((point - low_pass(point, BLURS)).square().sum())


WIDTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Widths that are tried, in slices. The limit was set on 10 real subjects, where wider ones cost 0.006 of SSIM."""
CASES: Final = 8
"""Training cases that widths are measured on, at most."""
_SLOW: Final = 1.5
"""Standard deviation in voxels of the blur within a slice, above which variation counts as slow."""
_LEAST: Final = 1e-6

Volumes = Float32[np.ndarray, "contrast i j k"]
Classes = Integer[np.ndarray, "i j k"]


@final
@dataclass(frozen=True, eq=False)
class Example:
    """A training case with a synthetic volume of its label map.

    Args:
        synthetic: Volumes of the trained generator.
        scans: Volumes of the case; NaN for a contrast that it lacks.
        classes: Voxels of the label map, 0 outside the brain.
        lesion: Where roughness is measured; the whole brain if empty.
    """

    synthetic: Volumes
    scans: Volumes
    classes: Classes
    lesion: Mask


def smooth_across(images: Volumes, classes: Classes, widths: Iterable[float], axis: int) -> Volumes:
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
