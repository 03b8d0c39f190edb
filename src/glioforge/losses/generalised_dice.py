"""Generalised Dice loss: one overlap over all classes (Sudre et al. 2017, arXiv:1707.03237, equation 1).

Guo et al. 2020 call their equation 3 by this name, but print it without
Sudre's class weights, so that large classes rule.  Foroozandeh & Eklund weigh
classes by numbers that are computed once over the training set.  Sudre's own
weights are those of the batch.  All three are offered, and in all of them false
positives cost in a batch that lacks their class: they are missing elsewhere.

Conventions
-----------
logits      `(batch, class, ...)`, any grid; class 0 is background and counts like the others
labels      int64 `(batch, ...)`
"""

import torch
from torch.nn import functional

from glioforge.losses.dice import Labels, Logits, Scalar, Weights

_SMOOTH = 1e-7


def generalised_dice_loss(
    logits: Logits, labels: Labels, weights: Weights | None = None, *, weighted: bool = True
) -> Scalar:
    """Return one minus twice the overlap of probabilities and truth over the sum of both, over batch, grid and classes.

    Args:
        logits: Linear outputs.
        labels: Truth; at least one voxel.
        weights: Weight of each class; from the batch unless given.
        weighted: Without `weights`, weigh each class by the inverse square of its volume in the batch, 0 where it has
            none; else all voxels weigh alike, as in Guo et al.

    Example:
        >>> labels = torch.tensor([[1, 0, 0, 0]])
        >>> blind = torch.tensor([[[20.0] * 4, [-20.0] * 4]])
        >>> round(float(generalised_dice_loss(blind, labels, weighted=False)), 4)
        0.25
        >>> round(float(generalised_dice_loss(blind, labels)), 4)
        0.625
    """
    classes = logits.shape[1]
    probabilities = logits.float().softmax(dim=1).movedim(1, 0).flatten(1)
    truth = functional.one_hot(labels, classes).movedim(-1, 0).flatten(1).to(probabilities.dtype)
    volume = truth.sum(dim=1)
    if weights is None:
        weights = torch.where(volume > 0, volume.clamp_min(1).pow(-2), 0.0) if weighted else torch.ones_like(volume)
    overlap = (weights * (probabilities * truth).sum(dim=1)).sum()
    sizes = (weights * (probabilities.sum(dim=1) + volume)).sum()
    return 1 - 2 * overlap / sizes.clamp_min(_SMOOTH)
