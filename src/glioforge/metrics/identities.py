"""Checks, while a study runs, the identities that metrics of one case must obey.

With TP, FP and FN of a region, TP + FN is the volume of the true region and
TP + FP that of the predicted one; Dice is the harmonic mean of sensitivity and
precision, Jaccard is Dice / (2 - Dice); and whole tumour, tumour core and
enhancing tumour lie within each other.  Volumes are counted from the whole
label maps, independently of the box and masks that the metrics use.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Int64

from glioforge.core import LabelMap, MetricError
from glioforge.metrics.base import MetricRow
from glioforge.metrics.pair import MaskPair

NESTED = ("WT", "TC", "ET")
"""Regions that lie within each other, from the outermost."""
_SLACK = 1e-9


def require_identities(
    prediction: LabelMap,
    truth: LabelMap,
    pairs: Mapping[str, MaskPair],
    rows: Sequence[MetricRow],
    where: str = "",
) -> None:
    """Refuse numbers of a case that contradict each other or its label maps.

    Args:
        prediction: Predicted labels.
        truth: True labels.
        pairs: Masks of each region that the numbers were computed from; no regions pass.
        rows: The numbers.
        where: The case, for the message.

    Raises:
        MetricError: Names case, region and the identity that does not hold.
    """
    for labels, name in ((truth, "true"), (prediction, "predicted")):
        counts = np.bincount(labels.voxels.ravel(order="K"), minlength=256)
        _require_nested(labels, counts, [region for region in NESTED if region in pairs], name, where)
        for region, pair in pairs.items():
            volume = int(counts[list(labels.scheme.region_values(region))].sum())
            found = pair.counts[0] + pair.counts[2 if name == "true" else 1]
            _require(found == volume, f"{name} {region} of {found} voxels", f"{volume}, as the label map holds", where)
    for region, pair in pairs.items():
        if not pair.empty:
            _require_overlap(region, {row.metric: row.value for row in rows if row.region == region}, where)


def _require_nested(
    labels: LabelMap, counts: Int64[np.ndarray, "values"], regions: Sequence[str], name: str, where: str
) -> None:
    """Refuse voxels of an inner region outside the outer one."""
    for outer, inner in pairwise(regions):
        beyond = set(labels.scheme.region_values(inner)) - set(labels.scheme.region_values(outer))
        outside = int(counts[sorted(beyond)].sum())
        expected = f"{inner} within {outer}"
        _require(not outside, f"{outside} voxels of {name} {inner} outside {outer}", expected, where)


def _require_overlap(region: str, values: Mapping[str, float], where: str) -> None:
    """Refuse Dice, Jaccard, sensitivity and precision that do not belong to one pair of masks."""
    dice, found, true = (values.get(name) for name in ("dice", "sensitivity", "precision"))
    if dice is not None and found is not None and true is not None:
        harmonic = 2 * found * true / (found + true) if found + true else 0.0
        expected = f"{harmonic:.6f}, from sensitivity and precision"
        _require(abs(dice - harmonic) <= _SLACK, f"Dice {dice:.6f} of {region}", expected, where)
    jaccard = values.get("jaccard")
    if dice is not None and jaccard is not None:
        expected = f"{dice / (2 - dice):.6f}, from Dice"
        _require(abs(jaccard - dice / (2 - dice)) <= _SLACK, f"Jaccard {jaccard:.6f} of {region}", expected, where)


def _require(holds: bool, found: str, expected: str, where: str) -> None:  # noqa: FBT001 - the outcome of a check
    """Raise unless an identity holds."""
    if not holds:
        remedy = "report this with the label scheme: the numbers of this case cannot be trusted"
        raise MetricError(found, expected, remedy, where or None)
