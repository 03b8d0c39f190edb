"""How well a small U-Net finds the tumours of phantoms it has not seen, and how long it trains.

Twenty phantoms of 96 x 96 x 64 voxels: twelve to train on, two for model
selection, six for testing, split by subject.  Writes
`benchmarks/results/segmenters.json`.  Times are seconds of the processor on one
thread.  The numbers speak of phantoms, which are far easier than patients.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.cohort import Cohort
from glioforge.core.split import split_by_subject
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.prepare.pipeline import PrepareSpec, prepare
from glioforge.io.ingest import ingest
from glioforge.segmentation.base import TrainedSegmenter, train_segmenter
from glioforge.segmentation.evaluate import evaluate_predictions, segment_cohort
from glioforge.segmentation.methods.unet import UNetSpec
from glioforge.training.budget import Budget

RESULT = Path(__file__).parent / "results" / "segmenters.json"
CASES, SEED = 20, 11
BUDGET = Budget(steps=350, validate_every=70, checkpoint_every=350)
LEAST_WT_DICE = 0.85
LIMIT_SECONDS = 120.0


def main(folder: Path) -> None:
    """Make, prepare, train, judge on the scans' own grids, write, and say whether the limits are kept.

    Args:
        folder: Where phantoms, cases and weights are kept; another call goes on there.
    """
    write_phantom_cohort(folder / "phantoms", cases=CASES, seed=SEED)
    scans = ingest(folder / "phantoms")
    split = split_by_subject(prepare(scans, PrepareSpec(), folder / "prepared"), test=0.3, validation=0.1, seed=1)
    start = time.process_time()
    segmenter = train_segmenter(
        UNetSpec(),
        split.train,
        split.validation,
        folder / "unet",
        seed=1,
        budget=BUDGET,
        accelerator=AcceleratorSpec(threads=1),
    )
    trained_seconds = time.process_time() - start
    start = time.process_time()
    segment_cohort(segmenter, split.test, folder / "masks")
    seconds_a_case = (time.process_time() - start) / len(split.test)
    result = judged(segmenter, scans.select([ref.case_id for ref in split.test]), folder / "masks")
    result |= {
        "subjects": {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)},
        "steps": BUDGET.steps,
        "batch_size": segmenter.spec.batch_size,
        "parameters": segmenter.parameter_count,
        "training_seconds": round(trained_seconds, 1),
        "seconds_a_case": round(seconds_a_case, 2),
        "limit_seconds": LIMIT_SECONDS,
        "kept": result["mean"]["WT"]["dice"] >= LEAST_WT_DICE and trained_seconds < LIMIT_SECONDS,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def judged(segmenter: TrainedSegmenter, truth: Cohort, masks: Path) -> dict[str, Any]:
    """Mean and single values of the test subjects, by region."""
    rows = evaluate_predictions(masks, truth, metrics=("dice", "hd95", "lesionwise_dice"))
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        values.setdefault(row.region, {}).setdefault(row.metric, []).append(row.value)
    return {
        "segmenter": "unet, preset sound",
        "validation_score": round(segmenter.outcome.best_score or 0.0, 3),
        "least_whole_tumour_dice": LEAST_WT_DICE,
        "mean": {r: {m: round(statistics.mean(v), 3) for m, v in by.items()} for r, by in values.items()},
        "dice_of_each_subject": {r: [round(v, 3) for v in by["dice"]] for r, by in values.items()},
        "one_mask_empty": sum(bool(row.note) and row.note != "both empty" for row in rows if row.metric == "dice"),
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as place:
            main(Path(place))
