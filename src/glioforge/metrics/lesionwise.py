"""Metrics by lesion: lesion-wise Dice and HD95, and how much tumour is predicted where there is none.

BraTS has ranked by the first two since 2023; their rules, source and values for empty masks stand in
`metrics.lesions`.  False alarms are measured by volume: all of them, and the part far from the true tumour.  On a case
without lesion the false-positive volume is the whole predicted volume, and `empty` in the row is `truth empty` or `both
empty`.  Volumes of false alarms are skewed, most of them near 0, so that arms are compared by the ratio of geometric
means of volume + 0.1 ml.
"""

from typing import Final

import numpy as np
from scipy.ndimage import distance_transform_edt

from glioforge.core import within
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


FAR_MM: Final = 10.0
"""Distance from the nearest true voxel beyond which a predicted voxel is far, centre to centre."""
OFFSET_ML: Final = 0.1
"""Volume added before logarithms are taken, so that nothing predicted is a volume too."""


def false_volume(pair: MaskPair) -> float:
    """Predicted volume outside the truth in ml; the whole predicted volume where the truth is empty."""
    return pair.counts[1] * pair.geometry.voxel_volume / 1000


def far_volume(pair: MaskPair) -> float:
    """Predicted volume more than 10 mm from the truth in ml; the whole predicted volume where the truth is empty."""
    if pair.empty or not pair.counts[1]:
        return false_volume(pair)
    distances = distance_transform_edt(~pair.truth, sampling=pair.geometry.spacing)
    far = np.count_nonzero(pair.prediction & ~within(distances, FAR_MM))
    return float(far * pair.geometry.voxel_volume / 1000)


FALSE_ALARMS: Final[tuple[Metric[MaskPair], ...]] = (
    Metric("false_volume", "ml", Direction.LOWER, false_volume, DEFINED, "False-positive volume", OFFSET_ML),
    Metric("far_volume", "ml", Direction.LOWER, far_volume, DEFINED, "Volume over 10 mm from the tumour", OFFSET_ML),
)
"""All metrics of this module."""
