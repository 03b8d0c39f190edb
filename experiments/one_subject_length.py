"""After how many steps does a segmenter of one training subject level off?  The setting `one_subject_steps` of studies.

One phantom is trained on, four others tell when the score levels off, by the rule of the trial runs (`gain` .005).
Phantoms and networks of every run have another seed; the setting is the median, rounded up to a hundred.

    python experiments/one_subject_length.py run --out length --seeds 6
    python experiments/one_subject_length.py table --out length > benchmarks/results/one_subject_length.json

`run` writes one JSON a seed and goes on where it stopped.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.io.atomic_write import read_json, write_json
from glioforge.io.ingestion import ingest
from glioforge.segmentation.base import SEGMENTERS, train_segmenter
from glioforge.training.budget import Budget

PHANTOM = PhantomSpec(shape=(56, 56, 44), high_grade_share=1.0)
BUDGET = Budget(steps=1200, validate_every=50, gain=0.005, checkpoint_every=200)


def main() -> None:
    """Run seeds, or tell what they gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("run", "table"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=6)
    asked = parser.parse_args()
    if asked.action == "table":
        print(json.dumps(table(asked.out), indent=1))
        return
    for seed in range(1, asked.seeds + 1):
        if not (asked.out / f"seed-{seed:02d}.json").is_file():
            one_seed(asked.out, seed)


def one_seed(out: Path, seed: int) -> None:
    """Train on one phantom until the score of four others levels off."""
    work = out / f"work-{seed:02d}"
    write_phantom_cohort(work / "phantoms", cases=5, spec=PHANTOM, seed=2000 + seed)
    settings = PrepareSpec.model_validate({"tissue": None})
    cohort = prepare(ingest(work / "phantoms"), settings, work / "prepared")
    first, *others = cohort.subject_ids
    trained = train_segmenter(
        cohort.of_subjects([first]),
        cohort.of_subjects(others),
        SEGMENTERS.parse({"kind": "unet", "preset": "sound"}),
        work / "model",
        budget=BUDGET,
        seed=seed,
        accelerator=AcceleratorSpec(device="cpu", precision="32-true", threads=1),
    )
    outcome = trained.outcome
    scores = [[row["step"], row["score"]] for row in outcome.history]
    found = {"seed": seed, "steps": outcome.steps, "levelled": outcome.plateaued, "scores": scores}
    write_json(out / f"seed-{seed:02d}.json", found)
    print(json.dumps(found), flush=True)


def table(out: Path) -> dict[str, Any]:
    """The median length, and the runs."""
    runs = [read_json(path) for path in sorted(out.glob("seed-*.json"))]
    steps = [run["steps"] for run in runs]
    median = float(np.median(steps)) if steps else math.nan
    return {
        "budget": BUDGET.model_dump(mode="json"),
        "phantom": PHANTOM.model_dump(mode="json"),
        "median_steps": median,
        "one_subject_steps": math.ceil(median / 100) * 100 if steps else None,
        "runs": runs,
    }


if __name__ == "__main__":
    main()
