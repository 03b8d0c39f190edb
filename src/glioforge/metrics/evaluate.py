"""Score one predicted label map against the truth: a row for each region and metric, whose identities are checked.

A number is always of a whole case, never of a slice, so that a case counts once
whatever the size of its tumour.

While a study runs, the identities that metrics of one case must obey are checked.
With TP, FP and FN of a region, TP + FN is the volume of the true region and
TP + FP that of the predicted one; Dice is the harmonic mean of sensitivity and
precision, Jaccard is Dice / (2 - Dice); and whole tumour, tumour core and
enhancing tumour lie within each other.  Volumes are counted from the whole
label maps, independently of the box and masks that the metrics use.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64

from glioforge.core import Box, LabelMap, LabelScheme, Mask, MetricError, SpecError, bounding_box
from glioforge.metrics.base import NOWHERE, MaskPair, Metric, MetricRow
from glioforge.metrics.lesions import DILATION_STEPS
from glioforge.metrics.overlap import FALSE_ALARMS, LESIONWISE, OVERLAP, SURFACE

METRICS: Final[Mapping[str, Metric[MaskPair]]] = MappingProxyType(
    {metric.name: metric for metric in (*OVERLAP, *SURFACE, *LESIONWISE, *FALSE_ALARMS)}
)
"""Every metric of a pair of masks, by name."""

DEFAULT_METRICS: Final = (
    "dice",
    "sensitivity",
    "precision",
    "volume_error",
    "hd95",
    "nsd_1mm",
    "nsd_2mm",
    "lesionwise_dice",
    "lesionwise_hd95",
    "false_volume",
    "far_volume",
    "true_volume",
)
"""What a study reports unless told otherwise; `specificity` needs a brain mask and is left out."""

REGIONS: Final = ("WT", "TC", "ET")
"""Whole tumour, tumour core, enhancing tumour."""
CAVITY: Final = "RC"
"""Resection cavity."""


def regions_of(prediction: LabelScheme, truth: LabelScheme) -> tuple[str, ...]:
    """Return `REGIONS`, and RC, the resection cavity, where both schemes name one.

    Example:
        >>> from glioforge.core.schemes import BRATS2024, GUO2020
        >>> regions_of(GUO2020, BRATS2024)
        ('WT', 'TC', 'ET', 'RC')
    """
    return (*REGIONS, CAVITY) if prediction.regions.get(CAVITY) and truth.regions.get(CAVITY) else REGIONS


def metrics_named(names: Iterable[str]) -> tuple[Metric[MaskPair], ...]:
    """Metrics of these names, in the order given.

    Raises:
        SpecError: There is no such metric.
    """
    wanted = tuple(names)
    unknown = [name for name in wanted if name not in METRICS]
    if unknown:
        raise SpecError(f"metrics {unknown}", f"some of {list(METRICS)}")
    return tuple(METRICS[name] for name in wanted)


def evaluate_case(
    prediction: LabelMap,
    truth: LabelMap,
    regions: Sequence[str] = REGIONS,
    metrics: Iterable[str] = DEFAULT_METRICS,
    *,
    brain: Mask | None = None,
    where: str = "",
) -> list[MetricRow]:
    """Judge one case, and check that its numbers agree with each other and with the label maps.

    Args:
        prediction: Predicted labels, in any scheme that names the regions.
        truth: True labels on the same grid; its scheme may be another.
        regions: Regions or single labels.
        metrics: Names of metrics.
        brain: Brain mask; where the truth labels normal tissue, its foreground unless given.
        where: The case, for messages.

    Returns:
        One row a region and metric, regions outermost; none for no regions.

    Raises:
        GeometryError: The grids differ.
        LabelError: A scheme does not name a region.
        SpecError: There is no such metric.
        MetricError: Numbers contradict each other, or regions do not lie within each other.
    """
    truth.geometry.require_same(prediction.geometry, "prediction")
    chosen = metrics_named(metrics)
    if brain is None and truth.scheme.is_complete:
        brain = truth.foreground
    pairs = dict(_pairs(prediction, truth, regions, brain))
    rows = [_row(region, metric, pair) for region, pair in pairs.items() for metric in chosen]
    require_identities(prediction, truth, pairs, rows, where)
    return rows


def judge(metric: Metric[MaskPair], pair: MaskPair) -> float:
    """Value of a metric under its policy for empty masks."""
    fill = metric.when_empty.fill(pair.empty)
    if fill == "formula":
        return metric.function(pair)
    return pair.diagonal_mm if fill == "diagonal" else float(fill)


def _row(region: str, metric: Metric[MaskPair], pair: MaskPair) -> MetricRow:
    return MetricRow(region, metric.name, judge(metric, pair), metric.unit, pair.empty)


def _pairs(
    prediction: LabelMap, truth: LabelMap, regions: Sequence[str], brain: Mask | None
) -> Iterator[tuple[str, MaskPair]]:
    """Pair of masks of each region, all cut to one box around all regions."""
    ours = {region: _table(prediction, region) for region in regions}
    theirs = {region: _table(truth, region) for region in regions}
    box = _box(prediction, truth, ours.values(), theirs.values())
    predicted, true = prediction.voxels[box], truth.voxels[box]
    for region in regions:
        yield region, MaskPair(ours[region][predicted], theirs[region][true], truth.geometry, brain, box)


def _box(prediction: LabelMap, truth: LabelMap, ours: Iterable[np.ndarray], theirs: Iterable[np.ndarray]) -> Box:
    """Box around every region of either map, with room for the dilation of lesions."""
    nowhere = np.zeros(256, dtype=bool)
    either = np.logical_or.reduce([nowhere, *ours])[prediction.voxels]
    either |= np.logical_or.reduce([nowhere, *theirs])[truth.voxels]
    return bounding_box(either, DILATION_STEPS) or NOWHERE


def _table(labels: LabelMap, region: str) -> Bool[np.ndarray, "256"]:
    """Whether each integer belongs to the region."""
    table = np.zeros(256, dtype=bool)
    table[list(labels.scheme.region_values(region))] = True
    return table


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
