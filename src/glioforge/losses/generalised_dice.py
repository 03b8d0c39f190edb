"""Generalised Dice loss: one overlap over all classes (Sudre et al. 2017, arXiv:1707.03237, equation 1).

Guo et al. 2020 call their equation 3 by this name, but print it without
Sudre's class weights, so that large classes rule; both are offered.  A class
that the truth lacks has weight 0 among weighted ones: wrong voxels of it are
missing elsewhere.

Conventions
-----------
logits      `(batch, class, ...)`, any grid; class 0 is background and counts like the others
labels      int64 `(batch, ...)`
"""

import torch
from torch.nn import functional

from glioforge.losses.dice import Labels, Logits, Scalar

_SMOOTH = 1e-7


def generalised_dice_loss(logits: Logits, labels: Labels, *, weighted: bool = True) -> Scalar:
    """One minus twice the overlap of probabilities and truth over the sum of both, over batch, grid and classes.

    Args:
        logits: Linear outputs.
        labels: Truth; at least one voxel.
        weighted: Weigh each class by the inverse square of its volume; else all voxels weigh alike, as in Guo et al.

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
    weights = torch.ones_like(volume)
    if weighted:
        weights = torch.where(volume > 0, volume.clamp_min(1).pow(-2), 0.0)
    overlap = (weights * (probabilities * truth).sum(dim=1)).sum()
    sizes = (weights * (probabilities.sum(dim=1) + volume)).sum()
    return 1 - 2 * overlap / sizes.clamp_min(_SMOOTH)
