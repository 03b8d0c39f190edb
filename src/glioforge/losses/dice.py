"""Soft Dice and cross entropy for label maps.

Source: Milletari et al. 2016, arXiv:1606.04797 (Dice), Isensee et al. 2021
(nnU-Net: Dice plus cross entropy).  A class that neither truth nor prediction
holds costs nothing.  One that the truth lacks is judged by the cross entropy
alone, unless Dice is taken over the whole batch and another sample holds it.

Conventions
-----------
logits      `(batch, class, ...)`, any grid; class 0 is background and has no Dice term
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


def soft_dice_loss(
    logits: Logits, labels: Labels, weights: Weights | None = None, *, over_batch: bool = True
) -> Scalar:
    """One minus the mean soft Dice of the foreground classes that the truth holds; 0 when it holds none.

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


def dice_and_cross_entropy(
    logits: Logits, labels: Labels, weights: Weights | None = None, *, over_batch: bool = True
) -> Scalar:
    """Soft Dice loss plus cross entropy, equal parts; the usual loss of segmenters.

    Args:
        logits: Linear outputs.
        labels: Truth.
        weights: Weight of each class in both terms.
        over_batch: As in `soft_dice_loss`.
    """
    entropy = functional.cross_entropy(logits.float(), labels, weights)
    return soft_dice_loss(logits, labels, weights, over_batch=over_batch) + entropy
