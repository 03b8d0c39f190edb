"""How well small segmenters find the tumours of phantoms they have not seen, and how long they train.

Twenty phantoms of 96 x 96 x 64 voxels: twelve to train on, two for model
selection, six for testing, split by subject.  Writes
`benchmarks/results/segmenters.json`.  Times are seconds of the processor on one
thread.  The numbers speak of phantoms, which are far easier than patients.

    python benchmarks/segmenter_phantom.py [--folder FOLDER] [KIND ...]

measures the kinds named, or all, each in its preset `sound`, and leaves the
results of others as they are.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, cast

os.environ["OMP_NUM_THREADS"] = "1"

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.cohort import Cohort
from glioforge.core.split import Split, split_by_subject
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.prepare.pipeline import PrepareSpec, prepare
from glioforge.io.ingest import ingest
from glioforge.segmentation.base import SEGMENTERS, SegmenterSpec, TrainedSegmenter, train_segmenter
from glioforge.segmentation.evaluate import evaluate_predictions, segment_cohort
from glioforge.training.budget import Budget

RESULT = Path(__file__).parent / "results" / "segmenters.json"
CASES, SEED = 20, 11
BUDGETS = {
    "unet": Budget(steps=350, validate_every=70, checkpoint_every=350),
    "region_unets": Budget(steps=300, validate_every=60, checkpoint_every=60),
    "residual_unet": Budget(steps=210, validate_every=70, checkpoint_every=70),
}
LEAST_WT_DICE = 0.85
LIMIT_SECONDS = 120.0


def main(folder: Path, kinds: list[str]) -> None:
    """Make, prepare, train, judge on the scans' own grids, write, and say whether the limits are kept.

    Args:
        folder: Where phantoms, cases and weights are kept; another call goes on there.
        kinds: Segmenters to measure.
    """
    write_phantom_cohort(folder / "phantoms", cases=CASES, seed=SEED)
    scans = ingest(folder / "phantoms")
    split = split_by_subject(prepare(scans, PrepareSpec(), folder / "prepared"), test=0.3, validation=0.1, seed=1)
    for kind in kinds:
        result = measured(kind, split, scans, folder)
        known = json.loads(RESULT.read_text()) if RESULT.exists() else {}
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(dict(sorted({**known, kind: result}.items())), indent=1) + "\n")
        print(json.dumps({kind: result}, indent=1))


def measured(kind: str, split: Split, scans: Cohort, folder: Path) -> dict[str, Any]:
    """Train one segmenter and judge it on the test subjects."""
    spec = cast("SegmenterSpec", SEGMENTERS.parse({"kind": kind, "preset": "sound"}))
    start = time.process_time()
    segmenter = train_segmenter(
        spec,
        split.train,
        split.validation,
        folder / kind,
        seed=1,
        budget=BUDGETS[kind],
        accelerator=AcceleratorSpec(threads=1),
    )
    trained_seconds = time.process_time() - start
    start = time.process_time()
    segment_cohort(segmenter, split.test, folder / f"{kind}_masks")
    seconds_a_case = (time.process_time() - start) / len(split.test)
    result = judged(segmenter, scans.select([ref.case_id for ref in split.test]), folder / f"{kind}_masks")
    return result | {
        "subjects": {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)},
        "steps": BUDGETS[kind].steps,
        "batch_size": segmenter.spec.batch_size,
        "parameters": segmenter.parameter_count,
        "training_seconds": round(trained_seconds, 1),
        "seconds_a_case": round(seconds_a_case, 2),
        "limit_seconds": LIMIT_SECONDS,
        "kept": result["mean"]["WT"]["dice"] >= LEAST_WT_DICE and trained_seconds < LIMIT_SECONDS,
    }


def judged(segmenter: TrainedSegmenter, truth: Cohort, masks: Path) -> dict[str, Any]:
    """Mean and single values of the test subjects, by region."""
    rows = evaluate_predictions(masks, truth, metrics=("dice", "hd95", "lesionwise_dice"))
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        values.setdefault(row.region, {}).setdefault(row.metric, []).append(row.value)
    return {
        "segmenter": f"{kind_of(segmenter)}, preset sound",
        "validation_score": round(segmenter.outcome.best_score or 0.0, 3),
        "least_whole_tumour_dice": LEAST_WT_DICE,
        "mean": {r: {m: round(statistics.mean(v), 3) for m, v in by.items()} for r, by in values.items()},
        "dice_of_each_subject": {r: [round(v, 3) for v in by["dice"]] for r, by in values.items()},
        "one_mask_empty": sum(bool(row.note) and row.note != "both empty" for row in rows if row.metric == "dice"),
    }


def kind_of(segmenter: TrainedSegmenter) -> str:
    """Name of its method."""
    return str(segmenter.spec.model_dump()["kind"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"some of {', '.join(BUDGETS)}")
    parser.add_argument("--folder", type=Path, help="keeps phantoms and weights; deleted at the end unless given")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        main(given.folder or Path(place), given.kinds or list(BUDGETS))
