"""Soft Dice and cross entropy for label maps.

Source: Milletari et al. 2016, arXiv:1606.04797 (Dice), Isensee et al. 2021
(nnU-Net: Dice plus cross entropy).

A foreground class that the batch lacks has no Dice to learn from: `soft_dice_loss`
leaves it out and is meant to stand with the cross entropy, which then judges its
false positives.  `all_class_dice_loss` stands alone: background has a term there,
so that every false positive costs, also in a batch without foreground.

Conventions
-----------
logits      `(batch, class, ...)`, any grid; class 0 is background
labels      int64 `(batch, ...)`
"""

import torch
from jaxtyping import Float, Int64
from torch.nn import functional

Logits = Float[torch.Tensor, "batch classes *grid"]
Labels = Int64[torch.Tensor, "batch *grid"]
Weights = Float[torch.Tensor, "classes"]
Scalar = Float[torch.Tensor, ""]

_SMOOTH = 1e-5
_SMALL = 1e-7


def soft_dice_loss(
    logits: Logits, labels: Labels, weights: Weights | None = None, *, over_batch: bool = True
) -> Scalar:
    """Return one minus the mean soft Dice of the foreground classes that the truth holds; 0 when it holds none.

    Args:
        logits: Linear outputs.
        labels: Truth.
        weights: Weight of each class, background included (its own is not used); all 1 unless given.
        over_batch: Sum overlaps over the batch before dividing, which suits slices with few lesions;
            else each sample has a Dice of its own.

    Example:
        >>> labels = torch.tensor([[1, 1, 0]])
        >>> sure = torch.tensor([[[-20.0, -20.0, 20.0], [20.0, 20.0, -20.0]]])
        >>> round(float(soft_dice_loss(sure, labels)), 4)
        0.0
    """
    classes = logits.shape[1]
    probabilities = logits.float().softmax(dim=1).flatten(2)[:, 1:]
    truth = functional.one_hot(labels, classes).movedim(-1, 1).flatten(2)[:, 1:].to(probabilities.dtype)
    axes = (0, 2) if over_batch else (2,)
    overlap = (probabilities * truth).sum(axes)
    sizes = probabilities.sum(axes) + truth.sum(axes)
    present = (truth.sum(axes) > 0).to(probabilities.dtype)
    share = present if weights is None else present * weights[1:]
    dice = (2 * overlap + _SMOOTH) / (sizes + _SMOOTH)
    return (share * (1 - dice)).sum() / share.sum().clamp_min(_SMOOTH)


def all_class_dice_loss(logits: Logits, labels: Labels) -> Scalar:
    """Return one minus the mean soft Dice of all classes over the batch, background included, squares below.

    Milletari et al. 2016, section 3, whose two classes are both softmax outputs.  A class that the truth lacks costs
    1 / classes unless nothing of it is predicted, and the background's term falls with every false positive.

    Args:
        logits: Linear outputs.
        labels: Truth.

    Example:
        >>> empty = torch.zeros(1, 4, dtype=torch.long)
        >>> sure = torch.tensor([[[20.0] * 4, [-20.0] * 4]])
        >>> round(float(all_class_dice_loss(sure, empty)), 3), round(float(all_class_dice_loss(0 * sure, empty)), 3)
        (0.0, 0.6)
    """
    probabilities = logits.float().softmax(dim=1).flatten(2)
    truth = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).flatten(2).to(probabilities.dtype)
    overlap = (probabilities * truth).sum((0, 2))
    sizes = (probabilities**2).sum((0, 2)) + truth.sum((0, 2))
    return 1 - ((2 * overlap + _SMOOTH) / (sizes + _SMOOTH)).mean()


def mean_dice_loss(logits: Logits, labels: Labels) -> Scalar:
    """Return one minus the mean over all classes of twice the overlap over the sum of both, background included.

    As the file that Guo et al. 2020 published; a class that the truth lacks costs 1 / classes whatever is predicted.

    Args:
        logits: Linear outputs.
        labels: Truth.

    Example:
        >>> empty = torch.zeros(1, 4, dtype=torch.long)
        >>> sure = torch.tensor([[[20.0] * 4, [-20.0] * 4]])
        >>> round(float(mean_dice_loss(sure, empty)), 3)
        0.5
    """
    probabilities = logits.float().softmax(dim=1).flatten(2)
    truth = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).flatten(2).to(probabilities.dtype)
    overlap = (probabilities * truth).sum((0, 2))
    return 1 - (2 * overlap / ((probabilities + truth).sum((0, 2)) + _SMALL)).mean()


def dice_and_cross_entropy(
    logits: Logits, labels: Labels, weights: Weights | None = None, *, over_batch: bool = True
) -> Scalar:
    """Return soft Dice loss plus cross entropy, equal parts; the usual loss of segmenters.

    Args:
        logits: Linear outputs.
        labels: Truth.
        weights: Weight of each class in both terms.
        over_batch: As in `soft_dice_loss`.
    """
    entropy = functional.cross_entropy(logits.float(), labels, weights)
    return soft_dice_loss(logits, labels, weights, over_batch=over_batch) + entropy
