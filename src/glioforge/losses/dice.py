"""Dice losses, alone or with cross entropy, for label maps and for regions that contain each other.

Source: Milletari et al. 2016, arXiv:1606.04797 (Dice), Isensee et al. 2021
(nnU-Net: Dice plus cross entropy), Sudre et al. 2017, arXiv:1707.03237,
equation 1 (generalised Dice: one overlap over all classes).

A foreground class that the batch lacks has no Dice to learn from: `soft_dice_loss`
leaves it out and is meant to stand with the cross entropy, which then judges its
false positives.  `all_class_dice_loss` stands alone: background has a term there,
so that every false positive costs, also in a batch without foreground.

Guo et al. 2020 call their equation 3 generalised Dice, but print it without
Sudre's class weights, so that large classes rule.  Foroozandeh & Eklund weigh
classes by numbers that are computed once over the training set.  Sudre's own
weights are those of the batch.  All three are offered, and in all of them false
positives cost in a batch that lacks their class: they are missing elsewhere.

MONAI's `DiceLoss` is not used: it gives a class that the batch lacks a loss of 1.

Conventions
-----------
logits      `(batch, class, ...)`, any grid; class 0 is background; of regions `(batch, region, ...)`
labels      int64 `(batch, ...)`
masks       `(batch, region, ...)`, 1 inside the region and 0 outside
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch.nn import functional

Logits = Float[torch.Tensor, "batch classes *grid"]
Labels = Int64[torch.Tensor, "batch *grid"]
Weights = Float[torch.Tensor, "classes"]
Scalar = Float[torch.Tensor, ""]
Masks = Float[torch.Tensor, "batch regions *grid"]
Members = Bool[torch.Tensor, "regions classes"]

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
    return 1 - 2 * overlap / sizes.clamp_min(_SMALL)


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

    A region that the truth lacks is judged by the cross entropy alone, as in `soft_dice_loss`.

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
