"""Compare two masks: overlap and volume, distances of their surfaces, metrics by lesion, and false alarms.

With TP voxels in both masks, FP only in the prediction, FN only in the truth:
Dice 2 TP / (2 TP + FP + FN) (Dice 1945), Jaccard TP / (TP + FP + FN),
sensitivity TP / (TP + FN), precision TP / (TP + FP).  Specificity TN / (TN + FP)
counts true negatives inside the brain alone: over the whole image it is about 1
whatever the prediction.

Surface voxels and distances are defined in `metrics.lesions`.  HD95 is the larger
of the two directed 95th percentiles (MONAI's and BraTS' definition).  One percentile
of both directions pooled, as MedPy computes it, is another and smaller number, which
has a name of its own here: `hd95_pooled`.  NSD is the share of both surfaces within a
tolerance (Nikolov et al. 2018), each surface voxel counting once; a distance equal to
the tolerance counts, up to a relative rounding of 1e-4.  The average surface distance
is the mean over the voxels of both surfaces.

BraTS has ranked by lesion-wise Dice and HD95 since 2023; their rules, source and
values for empty masks stand in `metrics.lesions`.

False alarms, tumour that is predicted where there is none, are measured by volume: all
of them, and the part far from the true tumour.  On a case without lesion the
false-positive volume is the whole predicted volume, and `empty` in the row is
`truth empty` or `both empty`.  Volumes of false alarms are skewed, most of them near 0,
so that arms are compared by the ratio of geometric means of volume + 0.1 ml.
"""

from typing import Final

import numpy as np
from scipy.ndimage import distance_transform_edt

from glioforge.core import within
from glioforge.metrics.base import AGREEMENT, DEFINED, DISTANCE, Direction, MaskPair, Metric


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


def hd95(pair: MaskPair) -> float:
    """Larger of the two directed 95th percentiles of the surface distances, mm."""
    return pair.distances.hd95_mm


def hd95_pooled(pair: MaskPair) -> float:
    """95th percentile of the surface distances of both directions in one pool, mm."""
    return float(np.percentile(pair.distances.pooled, 95))


def hausdorff(pair: MaskPair) -> float:
    """Largest surface distance of either direction, mm; a single stray voxel decides it."""
    return float(pair.distances.pooled.max())


def nsd_1mm(pair: MaskPair) -> float:
    """Normalised surface Dice at a tolerance of 1 mm."""
    return pair.distances.within(1.0)


def nsd_2mm(pair: MaskPair) -> float:
    """Normalised surface Dice at a tolerance of 2 mm."""
    return pair.distances.within(2.0)


def average_surface_distance(pair: MaskPair) -> float:
    """Mean distance of the voxels of both surfaces to the other surface, mm."""
    return float(pair.distances.pooled.mean())


SURFACE: Final[tuple[Metric[MaskPair], ...]] = (
    Metric("hd95", "mm", Direction.LOWER, hd95, DISTANCE, "HD95"),
    Metric("hd95_pooled", "mm", Direction.LOWER, hd95_pooled, DISTANCE, "HD95, pooled"),
    Metric("hausdorff", "mm", Direction.LOWER, hausdorff, DISTANCE, "Hausdorff distance"),
    Metric("nsd_1mm", "1", Direction.HIGHER, nsd_1mm, AGREEMENT, "NSD at 1 mm"),
    Metric("nsd_2mm", "1", Direction.HIGHER, nsd_2mm, AGREEMENT, "NSD at 2 mm"),
    Metric(
        "average_surface_distance",
        "mm",
        Direction.LOWER,
        average_surface_distance,
        DISTANCE,
        "Average surface distance",
    ),
)
"""All metrics of this module."""


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
