"""The usual losses of segmenters by name, for classes that exclude and regions that contain each other."""

from collections.abc import Callable
from typing import Literal

import torch

from glioforge.core import SpecError
from glioforge.losses import (
    dice_and_cross_entropy,
    generalised_dice_loss,
    region_dice_and_cross_entropy,
    region_masks,
    squared_dice_loss,
)
from glioforge.segmentation.method import NetworkSpec, Statistics, Task
from glioforge.segmentation.target import class_shares
from glioforge.training import Batch

LossName = Literal["dice_and_cross_entropy", "weighted_dice", "generalised_dice", "squared_dice"]
Loss = Callable[[torch.Tensor, Batch], torch.Tensor]
_Overlap = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def objective(name: LossName, task: Task, statistics: Statistics = "real") -> Loss:
    """Return the loss of logits and batch.

    Args:
        name: `dice_and_cross_entropy` for every target; `weighted_dice` (one overlap over all classes, each weighed by
            its inverse share of the training voxels) and `generalised_dice` for classes; `squared_dice` for nested
            regions.
        task: Target, and the training cases.
        statistics: Whose voxels the shares are of.

    Raises:
        SpecError: The loss is not for such a target.
    """
    overlap = _for_regions(name) if task.target.nested else _for_classes(name, task, statistics)
    if overlap is None:
        kind = "nested regions" if task.target.nested else "classes"
        raise SpecError(f"loss {name!r} for {kind}", "`dice_and_cross_entropy`", "or choose another target")
    measure = overlap
    if not task.target.nested:
        return lambda logits, batch: measure(logits, batch["labels"])
    members = torch.from_numpy(task.target.members())
    return lambda logits, batch: measure(logits, region_masks(batch["labels"], members.to(logits.device)))


def _for_regions(name: LossName) -> _Overlap | None:
    """Losses of logits and masks."""
    known: dict[LossName, _Overlap] = {
        "dice_and_cross_entropy": region_dice_and_cross_entropy,
        "squared_dice": squared_dice_loss,
    }
    return known.get(name)


def _for_classes(name: LossName, task: Task, statistics: Statistics) -> _Overlap | None:
    """Losses of logits and classes."""
    if name == "weighted_dice":
        weights = torch.tensor(inverse_shares(task, statistics))
        return lambda logits, labels: generalised_dice_loss(logits, labels, weights.to(logits.device))
    known: dict[LossName, _Overlap] = {
        "dice_and_cross_entropy": dice_and_cross_entropy,
        "generalised_dice": lambda logits, labels: generalised_dice_loss(logits, labels, weighted=False),
    }
    return known.get(name)


def reported_weights(spec: NetworkSpec, task: Task) -> tuple[float, ...] | None:
    """Return the class weights of the loss where it is a weighted Dice, so that validation reports it; else none."""
    if getattr(spec, "loss", None) != "weighted_dice" or task.target.nested:
        return None
    return inverse_shares(task, getattr(spec, "statistics", "real"))


def inverse_shares(task: Task, statistics: Statistics = "real") -> tuple[float, ...]:
    """Return the inverse share of each class among the voxels of the training cases, scaled to a mean of 1.

    A class without a voxel weighs as little as one that fills every map: there is nothing of it to learn.
    """
    inverse = [1 / share if share else 1.0 for share in class_shares(task.counted(statistics), task.target)]
    return tuple(len(inverse) * value / sum(inverse) for value in inverse)
