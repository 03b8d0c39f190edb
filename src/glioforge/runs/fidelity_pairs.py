"""Synthetic images beside the scan of the same label map: MSE, MAE, PSNR and SSIM in brain, lesion and outside.

Only cases count whose label map was not edited, because a lesion that was moved has
no scan to be compared with.  The numbers' identities are checked: MAE ≤ RMSE, and
PSNR is that of the MSE.
"""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from glioforge.core import Case, CaseRef, Cohort, MetricError, Modality
from glioforge.metrics import PREPARED_RANGE, SIMILARITY, MetricRow, compare_images, psnr_of
from glioforge.statistics import Interval, estimate_by_seed

METRICS: Final = ("mse", "mae", "psnr", "ssim")
"""Numbers that are shown."""
_SLACK: Final = 1e-6


@final
@dataclass(frozen=True)
class Pair:
    """Mean of one number over subjects.

    Args:
        contrast: Name of the contrast.
        region: `brain`, `lesion`, or `outside`: the brain without its lesion.
        metric: Name of the number.
        unit: Its unit.
        interval: Mean over subjects with its interval.
    """

    contrast: str
    region: str
    metric: str
    unit: str
    interval: Interval

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; no interval is null."""
        ends = {"low": self.interval.low, "high": self.interval.high} if self.interval.known else {}
        named = {name: getattr(self, name) for name in ("contrast", "region", "metric", "unit")}
        known = {"value": self.interval.estimate, "subjects": self.interval.count}
        return {**named, **known, "low": None, "high": None, **ends}


def reconstruction(synthetic: Cohort, real: Cohort, modalities: tuple[Modality, ...]) -> tuple[Pair, ...]:
    """Compare unedited synthetic cases with the scans of their label maps; none give nothing.

    Raises:
        GeometryError: Grids differ.
        MetricError: Numbers of a case contradict each other.
    """
    values: dict[tuple[str, str, str, str], dict[str, list[float]]] = {}
    for made, scan in _pairs(synthetic, real):
        for contrast, row in pair_rows(made.load(), scan.load(), modalities):
            if row.metric in METRICS:
                key = (contrast, row.region, row.metric, row.unit)
                values.setdefault(key, {}).setdefault(scan.subject_id, []).append(row.value)
    found = []
    for key, subjects in values.items():
        means = np.array([[np.mean(numbers)] for _, numbers in sorted(subjects.items())])
        found.append(Pair(*key, estimate_by_seed(means, seed=1).interval()))
    return tuple(found)


def pair_rows(made: Case, scan: Case, modalities: tuple[Modality, ...]) -> list[tuple[str, MetricRow]]:
    """Numbers of one case, by contrast and region; an empty region is left out.

    Raises:
        GeometryError: Grids differ.
        MetricError: Numbers contradict each other.
    """
    scan.geometry.require_same(made.geometry, made.case_id)
    brain, lesion = scan.brain_mask, scan.require_labels().lesion
    regions = {"brain": brain, "lesion": lesion & brain, "outside": brain & ~lesion}
    found = []
    for modality in modalities:
        images = made.images[modality].voxels, scan.images[modality].voxels
        for region, mask in regions.items():
            if mask.any():
                rows = compare_images(*images, mask, data_range=PREPARED_RANGE, region=region, metrics=SIMILARITY)
                require_likeness(rows, made.case_id)
                found += [(str(modality), row) for row in rows]
    return found


def require_likeness(rows: list[MetricRow], where: str) -> None:
    """Refuse MSE, MAE, RMSE and PSNR of one pair of images that contradict each other.

    Raises:
        MetricError: Names the identity that doesn't hold.
    """
    value = {row.metric: row.value for row in rows}
    root = float(np.sqrt(value["mse"]))
    checks = {
        "RMSE = √MSE": abs(value["rmse"] - root) <= _SLACK,
        "MAE ≤ RMSE": value["mae"] <= root + _SLACK,
        "PSNR of the MSE": abs(value["psnr"] - psnr_of(value["mse"], PREPARED_RANGE)) <= _SLACK,
        "SSIM ≤ 1": value["ssim"] <= 1 + _SLACK,
    }
    for name, holds in checks.items():
        if not holds:
            raise MetricError(f"numbers that break {name}: {value}", name, "report this with the case", where)


def _pairs(synthetic: Cohort, real: Cohort) -> list[tuple[CaseRef, CaseRef]]:
    """Unedited synthetic cases with the scan of their one parent."""
    scans = {ref.case_id: ref for ref in real}
    return [
        (ref, scans[ref.lineage.parents[0]])
        for ref in synthetic
        if ref.lineage.is_synthetic
        and not ref.lineage.edits
        and len(ref.lineage.parents) == 1
        and ref.lineage.parents[0] in scans
    ]
