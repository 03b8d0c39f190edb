"""Lesion-wise Dice and HD95, the numbers that BraTS has ranked by since 2023.

The rules, their source and what an empty mask gives stand in `metrics.lesions`.
"""

from typing import Final

from glioforge.metrics.base import DEFINED, Direction, Metric
from glioforge.metrics.pair import MaskPair


def lesionwise_dice(pair: MaskPair) -> float:
    """Mean Dice over the true lesions above 50 mm³ and the false alarms; 1 without any."""
    return pair.lesions.mean_dice


def lesionwise_hd95(pair: MaskPair) -> float:
    """Mean HD95 in mm over the true lesions above 50 mm³ and the false alarms; 0 without any."""
    return pair.lesions.mean_hd95_mm


LESIONWISE: Final[tuple[Metric[MaskPair], ...]] = (
    Metric("lesionwise_dice", "1", Direction.HIGHER, lesionwise_dice, DEFINED, "Lesion-wise Dice"),
    Metric("lesionwise_hd95", "mm", Direction.LOWER, lesionwise_hd95, DEFINED, "Lesion-wise HD95"),
)
"""All metrics of this module."""
