"""Speed of a training that makes its cases meanwhile, against one of stored cases, with one thread and one worker.

Two phantoms are mixed, or their edited label maps painted, on a grid of 120 x 120
x 80 voxels of 2 mm.  A U-Net of width 16 takes blocks of steps in turn from stored
cases and from fresh ones, so that other work on the machine hits both alike; the
worker is idle in the blocks of stored cases.  Kept are, for every source and
reuse, the median step of both (time on the clock, and of the training process
on the processor), their ratio, the seconds that a case takes the worker, and how
long the training waited for it.  `--kinds` names the sources, ways of mixing or synthesizers; those that were measured
before are kept.  Results: `benchmarks/results/on_the_fly.json`.

Run: `OMP_NUM_THREADS=1 python benchmarks/on_the_fly.py [--blocks 5] [--steps 40] [--reuse 1 2 8]`
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from glioforge.compute.accelerator import AcceleratorSpec, seed_torch, start
from glioforge.core import Cohort
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.data.replay import FreshCases
from glioforge.io.ingestion import ingest
from glioforge.lesions.recipe import load_recipe
from glioforge.mixing.base import MIXINGS
from glioforge.mixing.cohort import mix_cohort
from glioforge.runs.synthesize import fresh_images, fresh_mixtures, make_synthetic
from glioforge.segmentation.base import SEGMENTERS
from glioforge.segmentation.batches import SegmenterBatches
from glioforge.segmentation.engine import Mix
from glioforge.segmentation.method import Task
from glioforge.segmentation.target import target_named
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from glioforge.training.budget import Budget

RESULT = Path(__file__).parent / "results" / "on_the_fly.json"
SIZE = (120, 120, 80)
SHARE = 0.5
POOL = 3
LEAST = 0.9
"""Ratio of speeds that is promised up to a reuse of 8."""
CPU = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
MIXED = ("cutmix", "carvemix", "tumour_paste", "class_contrast")


def cases(folder: Path) -> Cohort:
    """Two prepared phantoms."""
    write_phantom_cohort(folder / "phantoms", cases=2, seed=1)
    spec = PrepareSpec.model_validate({"tissue": {"kind": "mixture"}})
    grid = spec.grid.model_copy(update={"size": SIZE, "spacing_mm": 2.0})
    return prepare(ingest(folder / "phantoms"), spec.model_copy(update={"grid": grid}), folder / "prepared")


def source(kind: str, cohort: Cohort, place: Path) -> tuple[Cohort, Any]:
    """Stored cases of a source, and what makes its fresh ones at a reuse."""
    if kind in MIXED:
        mixing = MIXINGS.parse({"kind": kind, **({"blend": "soft_poisson"} if kind == "tumour_paste" else {})})
        stored = mix_cohort(cohort, mixing, place / f"stored-{kind}", count=POOL)
        return stored, lambda reuse: fresh_mixtures(cohort, mixing, reuse=reuse)
    # The time that images take does not depend on how long a network was trained.
    brief = Budget(steps=4, validate_every=4, checkpoint_every=4)
    model = train_synthesizer(cohort, None, SYNTHESIZERS.parse(kind), place / kind, budget=brief, accelerator=CPU)
    recipe = load_recipe("default", ["attempts=20"])
    stored = make_synthetic(cohort, model, recipe, place / f"stored-{kind}", count=POOL)
    return stored, lambda reuse: fresh_images(cohort, model, recipe, reuse=reuse)


class Training:
    """A training of which blocks of steps can be timed."""

    def __init__(self, real: Cohort, stored: Cohort, fresh: FreshCases | None) -> None:
        spec: Any = SEGMENTERS.parse({"kind": "unet", "widths": [16, 32, 64, 128]})
        method: Any = SEGMENTERS.part_for(spec)(spec)
        mix = Mix(real, stored, SHARE, fresh=fresh)
        modalities, target = mix.modalities(None, Cohort("none", (), real.scheme)), target_named(spec.target)
        seed_torch(1, "network")
        task = Task(modalities, target, real, 100_000, "axial", mix.used)
        self.recipe = method.recipe(method.build(modalities, target), task)
        self.batches = SegmenterBatches(mix, modalities, spec, dims=2, seed=1, steps=100_000)
        self.fabric = start(CPU)
        self.step = 0

    def block(self, steps: int) -> tuple[float, float]:
        """Seconds of a step on the clock and on the processor, over so many steps."""
        clock, processor = time.perf_counter(), time.process_time()
        for _ in range(steps):
            self.recipe.step(self.batches(self.step), self.step, self.fabric)
            self.step += 1
        return (time.perf_counter() - clock) / steps, (time.process_time() - processor) / steps


def compared(real: Cohort, stored: Cohort, fresh: FreshCases, blocks: int, steps: int) -> dict[str, Any]:
    """Blocks of both trainings in turn."""
    pair = (Training(real, stored, None), Training(real, stored, fresh))
    for training in pair:
        training.block(5)
    times = np.array([[training.block(steps) for training in pair] for _ in range(blocks)])
    replay: Any = pair[1].batches._replay  # noqa: SLF001 - what was waited for is no part of a training's result
    pair[1].batches.close()
    clock, processor = np.median(times[:, :, 0], axis=0), np.median(times[:, :, 1], axis=0)
    return {
        "reuse": fresh.reuse,
        "steps_between_cases": round(replay.every, 1),
        "stored_step_s": round(float(clock[0]), 4),
        "fresh_step_s": round(float(clock[1]), 4),
        "speed": round(float(np.median(times[:, 0, 0] / times[:, 1, 0])), 3),
        "speed_of_the_processor": round(float(processor[0] / processor[1]), 3),
        "waited_share": round(replay.waited / float(times[:, 1, 0].sum() * steps), 4),
    }


def seconds_a_case(fresh: FreshCases, count: int = 5) -> float:
    """Median seconds on the processor that making a case takes, files in the system's cache."""
    fresh.make(0)
    found = []
    for number in range(1, count + 1):
        before = time.process_time()
        fresh.make(number)
        found.append(time.process_time() - before)
    return round(float(np.median(found)), 3)


def main() -> None:
    """Measure every source at every reuse, and keep the numbers as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--reuse", type=float, nargs="+", default=[1.0, 2.0, 8.0])
    parser.add_argument("--kinds", nargs="+", default=["painted", *MIXED])
    asked = parser.parse_args()
    known = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    rows = known.get("sources", {})
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        cohort = cases(place)
        for kind in asked.kinds:
            stored, fresh = source(kind, cohort, place)
            taken = seconds_a_case(fresh(1.0))
            found = [compared(cohort, stored, fresh(reuse), asked.blocks, asked.steps) for reuse in asked.reuse]
            rows[kind] = {"case_s": taken, "reuses": found}
            kept = all(row["speed"] >= LEAST for one in rows.values() for row in one["reuses"] if row["reuse"] == 8)
            values = {
                "processor": platform.processor() or platform.machine(),
                "grid": SIZE,
                "threads": 1,
                "workers": 1,
                "share": SHARE,
                "limit": LEAST,
                "limit_kept_at_reuse_8": kept,
                "sources": rows,
            }
            RESULT.write_text(json.dumps(values, indent=1) + "\n")
            print(kind, json.dumps(rows[kind]), flush=True)


if __name__ == "__main__":
    main()
