"""The fine grain of scans: noise that no label map can predict, measured after training and added when sampling.

A generator that is rewarded for being near to the scan leaves noise out.  What
it leaves out is measured by the variance above the blur of `nn.low_pass`: that of
the training scans minus that of the images made for them, well inside the
classes, where fine structure is not mistaken for noise.  White noise of the
missing variance is added to what is made, with the strength of a training case
drawn at random.

Conventions
-----------
grain       standard deviation in z-scores, `(case, contrast)`
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float, Int64
from torch.nn import functional

from glioforge.nn.low_pass import low_pass

BLURS = 2
"""Binomial blurs whose remainder counts as fine."""
_NORMAL = 1.4826
"""Standard deviation of normal noise over the median of its absolute value."""

Batch = Mapping[str, torch.Tensor]
Images = Float[torch.Tensor, "batch contrast x y"]


def measure_grain(
    batches: Callable[[int], Batch], make: Callable[[Batch], Images], cases: int, steps: int
) -> Float[torch.Tensor, "cases contrast"]:
    """Grain of each training case; one that was not drawn, or lacks a contrast, takes the mean of the others.

    Args:
        batches: Training batches of slices or patches with `images`, `labels` (planes), `brain` and `case`, and
            `available` where contrasts may be missing.
        make: Images for a batch, without grain.
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


def _as_slices(batch: Batch, made: torch.Tensor) -> tuple[Batch, Images]:
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


def fine_variance(images: Images, inside: Bool[torch.Tensor, "batch x y"]) -> Float[torch.Tensor, "batch contrast"]:
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
