"""Losses for regions that contain each other, each with a yes-or-no output of its own.

Conventions
-----------
logits      `(batch, region, ...)`, any grid
masks       the same shape, 1 inside the region and 0 outside
"""

import torch
from jaxtyping import Bool, Float
from torch.nn import functional

from glioforge.losses.dice import Labels, Logits, Scalar

Masks = Float[torch.Tensor, "batch regions *grid"]
Members = Bool[torch.Tensor, "regions classes"]

_SMOOTH = 1e-5


def region_masks(labels: Labels, members: Members) -> Masks:
    """Return the mask of each region for a map of classes.

    Args:
        labels: Class of each voxel.
        members: Which classes belong to each region.

    Example:
        >>> members = torch.tensor([[False, True, True], [False, False, True]])
        >>> region_masks(torch.tensor([[0, 1, 2]]), members)[0].tolist()
        [[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]
    """
    return members.float()[:, labels].movedim(0, 1)


def squared_dice_loss(logits: Logits, masks: Masks, smooth: float = 0.01) -> Scalar:
    """Return one minus the soft Dice with squared denominators, over the batch, mean over regions.

    Carver et al., equation 4, which prints the Dice itself as the loss.  A region that the truth lacks costs nothing
    where nothing is predicted and nearly 1 where anything is; `smooth` gives it a gradient, which is small while much
    is predicted.

    Args:
        logits: Linear outputs.
        masks: Truth.
        smooth: The paper's c.

    Example:
        >>> masks = torch.tensor([[[1.0, 1.0, 0.0]]])
        >>> round(float(squared_dice_loss(60 * masks - 30, masks)), 4)
        0.0
    """
    axes = (0, *range(2, logits.ndim))
    shares = logits.float().sigmoid()
    overlap = (shares * masks).sum(axes)
    sizes = (shares**2).sum(axes) + (masks**2).sum(axes)
    return (1 - (2 * overlap + smooth) / (sizes + smooth)).mean()


def region_dice_and_cross_entropy(logits: Logits, masks: Masks) -> Scalar:
    """Return soft Dice over the batch plus binary cross entropy, equal parts, mean over regions.

    A region that the truth lacks is judged by the cross entropy alone, as in `losses.dice`.

    Args:
        logits: Linear outputs.
        masks: Truth.
    """
    axes = (0, *range(2, logits.ndim))
    shares = logits.float().sigmoid()
    overlap = (shares * masks).sum(axes)
    sizes = shares.sum(axes) + masks.sum(axes)
    present = (masks.sum(axes) > 0).to(shares.dtype)
    missed = 1 - (2 * overlap + _SMOOTH) / (sizes + _SMOOTH)
    dice = (present * missed).sum() / present.sum().clamp_min(1)
    return dice + functional.binary_cross_entropy_with_logits(logits.float(), masks)
