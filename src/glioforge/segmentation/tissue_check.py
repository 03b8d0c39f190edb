"""How plausible a completed label map is: volumes and ratios of tissue, fluid at the tumour, Dice where it is known.

Shin et al. 2018 (arXiv:1807.10225) leave open how a network of healthy brains
does near a tumour.  Dark tumour looks like fluid to it; so it is told how much
of the tumour the network takes for fluid, and how much fluid there is close
around it, compared with the rest of the brain.

Conventions
-----------
volume          millilitres of each tissue in the completed map
grey_to_white   ratio of their volumes; likewise csf_to_brain, fluid over all that is not background
csf_share       fluid among the voxels of a region: `WT` as the network has it, beneath the tumour's labels;
                `rim`, within 5 mm around the tumour; `rest`, the brain beyond
dice            of each tissue against the labels that the case came with
absent          a ratio to nothing has no row, and a case without tumour none about it
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from glioforge.core import COMPLETE, LabelMap, within
from glioforge.metrics import MetricRow, evaluate_case

RIM_MM: Final = 5.0
"""Width of the rim around a tumour."""


def tissue_rows(made: LabelMap, truth: LabelMap, tissue: Sequence[str] = COMPLETE.tissue) -> list[MetricRow]:
    """Dice of each tissue, where the truth is known."""
    return evaluate_case(made, truth, tissue, ("dice",))


def check_rows(made: LabelMap, found: LabelMap, before: LabelMap | None = None) -> list[MetricRow]:
    """All numbers about one case.

    Args:
        made: The completed map.
        found: What the network says, also beneath the tumour; in scheme `COMPLETE`.
        before: Labels that the case came with; compared if they hold normal tissue.

    Raises:
        GeometryError: The maps lie on different grids.
    """
    volumes = {name: made.volume_ml(name) for name in COMPLETE.tissue}
    rows = [MetricRow(name, "volume", value, "ml") for name, value in volumes.items()]
    rows += _ratio("grey_to_white", volumes["grey_matter"], volumes["white_matter"])
    rows += _ratio("csf_to_brain", volumes["csf"], np.count_nonzero(made.voxels) * made.geometry.voxel_volume / 1000)
    rows += _fluid_rows(made, found)
    known = None if before is None else before.to(made.scheme)
    if known is not None and any(known.region(name).any() for name in COMPLETE.tissue):
        rows += tissue_rows(made, known)
    return rows


def warnings_of(rows: Iterable[MetricRow]) -> list[str]:
    """What a person should look at, as sentence fragments; none for a map that is plausible."""
    values = {(row.region, row.metric): row.value for row in rows}
    missing = [name for name in COMPLETE.tissue if not values[name, "volume"]]
    lines = [f"no {', '.join(missing)} found"] if missing else []
    share = values.get(("WT", "csf_share"), 0.0)
    if share > 0.5:
        lines.append(
            f"{share:.0%} of the tumour looks like fluid to the segmenter; is fluid near it tumour without a label?"
        )
    return lines


def summary_of(checked: Mapping[str, Sequence[MetricRow]]) -> dict[str, Any]:
    """Mean, least and greatest value of each number over cases, and what is to be looked at, as JSON values.

    Args:
        checked: Rows of each case by its id; none give empty entries.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for rows in checked.values():
        for row in rows:
            values.setdefault((row.metric, row.region), []).append(row.value)
    scores = [
        {
            "metric": metric,
            "region": region,
            "cases": len(some),
            "mean": round(float(np.mean(some)), 6),
            "min": round(min(some), 6),
            "max": round(max(some), 6),
        }
        for (metric, region), some in sorted(values.items())
    ]
    warnings = {case_id: warnings_of(rows) for case_id, rows in checked.items()}
    return {"cases": len(checked), "scores": scores, "warnings": {k: v for k, v in warnings.items() if v}}


def _ratio(name: str, above: float, below: float) -> list[MetricRow]:
    """A ratio of the whole brain; no row where it has none."""
    return [MetricRow("brain", name, above / below, "1")] if below else []


def _fluid_rows(made: LabelMap, found: LabelMap) -> list[MetricRow]:
    """Share of fluid beneath the tumour, close around it and elsewhere."""
    tumour, brain = made.region("WT"), made.foreground
    if not tumour.any():
        return []
    near = within(ndimage.distance_transform_edt(~tumour, made.geometry.spacing), RIM_MM)
    places = {"WT": (found, tumour), "rim": (made, brain & near & ~tumour), "rest": (made, brain & ~near)}
    return [
        MetricRow(region, "csf_share", _share(labels, mask), "1")
        for region, (labels, mask) in places.items()
        if mask.any()
    ]


def _share(labels: LabelMap, mask: Bool[np.ndarray, "i j k"]) -> float:
    """Share of fluid in a mask that is not empty."""
    return float(np.count_nonzero(labels.region("csf") & mask) / np.count_nonzero(mask))
