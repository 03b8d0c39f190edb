"""How long it takes to judge a whole case, beside MONAI on the same masks in the same process.

A case is two ragged three-part tumours of about 90 ml on a grid of
240 x 240 x 155.  Times are seconds of the processor on one thread; read the
ratios, which hardly depend on the machine.  Writes `benchmarks/results/metrics.json`.
"""

import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from scipy.ndimage import zoom

from glioforge.core import BRATS2023, Geometry, LabelMap
from glioforge.metrics.base import MaskPair
from glioforge.metrics.evaluate import METRICS, REGIONS, evaluate_case, judge

RESULT = Path(__file__).parent / "results" / "metrics.json"
GRID = Geometry.isotropic((240, 240, 155))
REPEATS = 5
LIMIT_SECONDS = 0.6
LEAST_RATIO = 3.0


def tumour(centre: tuple[int, int, int], radius: float, seed: int) -> LabelMap:
    """Oedema around an enhancing rim around a core, with a ragged surface."""
    noise = zoom(np.random.default_rng(seed).normal(size=(24, 24, 16)), (10, 10, 155 / 16), order=1)
    axes = np.ogrid[:240, :240, :155]
    distance = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True))) + 4 * noise
    voxels = np.zeros(GRID.shape, dtype=np.uint8)
    for name, share in (("oedema", 1.0), ("enhancing", 0.7), ("necrotic_core", 0.4)):
        voxels[distance < share * radius] = BRATS2023.value(name)
    return LabelMap(voxels, GRID, BRATS2023)


def seconds(work: Callable[[], Any]) -> float:
    """Median processor seconds of some calls, after one that warms up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return round(statistics.median(times), 4)


def peers(prediction: LabelMap, truth: LabelMap) -> dict[str, Callable[[], dict[str, float]]]:
    """MONAI's numbers of the three regions, by metric."""
    import monai.metrics as monai

    stacks = [
        torch.from_numpy(np.stack([labels.region(r) for r in REGIONS])[None].astype(np.float32))
        for labels in (prediction, truth)
    ]

    def ask(function: Callable[..., torch.Tensor], **settings: Any) -> Callable[[], dict[str, float]]:  # noqa: ANN401
        return lambda: dict(
            zip(REGIONS, function(*stacks, include_background=True, **settings)[0].tolist(), strict=True)
        )

    return {
        "dice": ask(monai.compute_dice),
        "hd95": ask(monai.compute_hausdorff_distance, percentile=95),
        "nsd_2mm": ask(monai.compute_surface_dice, class_thresholds=[2.0] * 3),
        "average_surface_distance": ask(monai.compute_average_surface_distance, symmetric=True),
    }


def ours(name: str, prediction: LabelMap, truth: LabelMap) -> dict[str, float]:
    """One metric of the three regions, nothing shared with any other metric."""
    return {row.region: row.value for row in evaluate_case(prediction, truth, metrics=(name,))}


def main() -> None:
    """Measure, compare values, write, and say whether the limits are kept."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    prediction, truth = tumour((100, 120, 80), 28, 0), tumour((103, 121, 79), 27, 1)
    brain = np.ones(GRID.shape, dtype=bool)
    rows = {}
    theirs = peers(prediction, truth)
    for name, ask in theirs.items():
        found, expected = ours(name, prediction, truth), ask()
        worst = max(abs(found[region] - expected[region]) for region in REGIONS)
        own, peer = seconds(lambda n=name: ours(n, prediction, truth)), seconds(ask)
        rows[name] = {
            "seconds": own,
            "monai_seconds": peer,
            "times_faster": round(peer / own, 1),
            "largest_difference": round(worst, 6),
        }
    together = seconds(lambda: evaluate_case(prediction, truth, metrics=tuple(theirs)))
    peers_together = seconds(lambda: [ask() for ask in theirs.values()])
    whole = seconds(lambda: evaluate_case(prediction, truth, metrics=METRICS, brain=brain))
    pair = MaskPair(prediction.region("WT"), truth.region("WT"), GRID)
    result = {
        "grid": list(GRID.shape),
        "tumour_ml": [round(labels.volume_ml("WT"), 1) for labels in (prediction, truth)],
        "threads": 1,
        "repeats": REPEATS,
        "three_regions": rows,
        "these_four_together": {
            "seconds": together,
            "monai_seconds": peers_together,
            "times_faster": round(peers_together / together, 1),
            "least_wanted": LEAST_RATIO,
            "kept": peers_together / together >= LEAST_RATIO,
        },
        "all_metrics_of_three_regions": {
            "metrics": len(METRICS),
            "seconds": whole,
            "limit_seconds": LIMIT_SECONDS,
            "kept": whole < LIMIT_SECONDS,
        },
        "whole_tumour": {name: round(judge(METRICS[name], pair), 4) for name in ("dice", "hd95", "hd95_pooled")},
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
