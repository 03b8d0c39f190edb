"""How far two masks overlap: Dice, Jaccard, sensitivity, precision, specificity, volume.

With TP voxels in both masks, FP only in the prediction, FN only in the truth:
Dice 2 TP / (2 TP + FP + FN) (Dice 1945), Jaccard TP / (TP + FP + FN),
sensitivity TP / (TP + FN), precision TP / (TP + FP).  Specificity TN / (TN + FP)
counts true negatives inside the brain alone: over the whole image it is about 1
whatever the prediction.
"""

from typing import Final

import numpy as np

from glioforge.metrics.base import AGREEMENT, DEFINED, Direction, Metric
from glioforge.metrics.pair import MaskPair


def dice(pair: MaskPair) -> float:
    """Dice coefficient; neither mask may be empty (see `Metric.when_empty`)."""
    both, only_prediction, only_truth = pair.counts
    return 2 * both / (2 * both + only_prediction + only_truth)


def jaccard(pair: MaskPair) -> float:
    """Jaccard index, which is Dice / (2 - Dice)."""
    return pair.counts[0] / sum(pair.counts)


def sensitivity(pair: MaskPair) -> float:
    """Share of the true voxels that were found."""
    both, _, only_truth = pair.counts
    return both / (both + only_truth)


def precision(pair: MaskPair) -> float:
    """Share of the predicted voxels that are true."""
    both, only_prediction, _ = pair.counts
    return both / (both + only_prediction)


def specificity(pair: MaskPair) -> float:
    """Share of the brain's other voxels that the prediction leaves alone; 1 where the truth fills the brain.

    Raises:
        CaseError: The pair has no brain mask.
    """
    brain = pair.require_brain()
    inside = brain if pair.box is None else brain[pair.box]
    false_alarms = np.count_nonzero(inside & pair.prediction & ~pair.truth)
    negatives = np.count_nonzero(brain) - np.count_nonzero(inside & pair.truth)
    return float(1 - false_alarms / negatives) if negatives else 1.0


def volume_difference(pair: MaskPair) -> float:
    """Predicted minus true volume in ml; 0 where both are empty."""
    _, only_prediction, only_truth = pair.counts
    return (only_prediction - only_truth) * pair.geometry.voxel_volume / 1000


def volume_error(pair: MaskPair) -> float:
    """Absolute difference of the volumes in ml; 0 where both are empty."""
    return abs(volume_difference(pair))


def true_volume(pair: MaskPair) -> float:
    """Volume of the true region in ml, by which rules for small regions go; 0 where it is empty."""
    both, _, only_truth = pair.counts
    return (both + only_truth) * pair.geometry.voxel_volume / 1000


OVERLAP: Final[tuple[Metric[MaskPair], ...]] = (
    Metric("dice", "1", Direction.HIGHER, dice, AGREEMENT, "Dice"),
    Metric("jaccard", "1", Direction.HIGHER, jaccard, AGREEMENT, "Jaccard"),
    Metric("sensitivity", "1", Direction.HIGHER, sensitivity, AGREEMENT, "Sensitivity"),
    Metric("precision", "1", Direction.HIGHER, precision, AGREEMENT, "Precision"),
    Metric("specificity", "1", Direction.HIGHER, specificity, DEFINED, "Specificity in the brain"),
    Metric("volume_error", "ml", Direction.LOWER, volume_error, DEFINED, "Volume error"),
    Metric("volume_difference", "ml", Direction.ZERO, volume_difference, DEFINED, "Volume difference"),
    Metric("true_volume", "ml", Direction.NEITHER, true_volume, DEFINED, "True volume"),
)
"""All metrics of this module."""
