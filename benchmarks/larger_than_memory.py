"""Train on heads held in memory, and on the same heads read from the store: time of a step, and memory.

Each way is a process of its own with one thread: it opens the cohort, takes some
steps of a U-Net on axial slices of four contrasts, and then of a network on
patches.  Seconds are of the processor; memory is the largest resident set beyond
that of the imported libraries.  Heads are smooth tissue with noise, 0 outside
the brain; batches of both ways are the same, which a hash shows.  Cohorts of
several sizes show how memory grows.  Writes `benchmarks/results/larger_than_memory.json`,
in which cohorts of other sizes stay as they were recorded.

    python benchmarks/larger_than_memory.py [--heads 50 200] [--folder FOLDER]
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from scipy.ndimage import zoom

RESULT = Path(__file__).parent / "results" / "larger_than_memory.json"
SHAPE = (128, 160, 128)
WAYS = {"in memory": 1.0, "from the store": 0.0}
"""Share of the memory that a cohort may take."""
STEPS = 40
HEADS = (50, 200)
LARGEST_RATIO = 1.2
"""Of the time of a step, and of the memory with the largest cohort to that with the smallest, from the store."""


def write_heads(folder: Path, heads: int) -> None:
    """Write the cohort; heads that are there already are kept."""
    from glioforge.core import COMPLETE, Case, Cohort, Geometry, LabelMap, Lineage, Modality, Volume
    from glioforge.data.store import find_case, write_case
    from glioforge.io.cohort_file import write_cohort

    grid = Geometry.isotropic(SHAPE)
    axes = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    brain = sum(((a - n / 2) / (0.42 * n)) ** 2 for a, n in zip(axes, SHAPE, strict=True)) < 1
    rng = np.random.default_rng(0)
    tissue = [zoom(rng.normal(size=(16, 20, 16)), 8, order=1) + rng.normal(0, 0.1, SHAPE) for _ in range(4)]
    refs = []
    for number in range(heads):
        name = f"head{number:03d}"
        ref = find_case(folder / "cases", name)
        if ref is None:
            shift = (number * 7) % 40
            images = {
                m: Volume((np.roll(t, shift, axis=1) * brain).astype(np.float32), grid, m)
                for m, t in zip((Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR), tissue, strict=True)
            }
            labels = brain.astype(np.uint8) * 4
            labels[40:60, 50 + shift : 70 + shift, 50:70] = 3
            case = Case(name, name, images, Lineage.phantom(name, number), LabelMap(labels, grid, COMPLETE), brain)
            ref = write_case(folder / "cases", case)
        refs.append(ref)
    write_cohort(Cohort("heads", tuple(refs), COMPLETE), folder)


def one_way(folder: Path, share: float) -> dict[str, Any]:
    """Open the cohort and take steps; a share of the memory of 0 reads everything from the store."""
    import torch

    from glioforge.compute.accelerator import AcceleratorSpec, start
    from glioforge.data import sampling
    from glioforge.io.cohort_file import read_cohort
    from glioforge.segmentation.batches import SegmenterBatches
    from glioforge.segmentation.engine import Mix
    from glioforge.segmentation.method import SEGMENTERS, Task
    from glioforge.segmentation.target import target_named

    sampling.SHARE = share
    cohort = read_cohort(folder)
    fabric = start(AcceleratorSpec(device="cpu", precision="32-true", threads=1))
    found: dict[str, Any] = {}
    before = peak()
    for name, settings in (
        ("slices", {"kind": "unet", "batch_size": 8}),
        ("patches", {"kind": "residual_unet", "batch_size": 1, "size": (64, 64, 64)}),
    ):
        torch.manual_seed(0)
        spec = SEGMENTERS.parse(settings)
        method = SEGMENTERS.part_for(spec)(spec)
        mix, target = Mix(cohort), target_named(spec.target)
        modalities = cohort.modalities
        opened = time.process_time()
        batches = SegmenterBatches(mix, modalities, spec, dims=method.dims, seed=1)
        opened = time.process_time() - opened
        recipe = method.recipe(
            method.build(modalities, target), Task(modalities, target, cohort, STEPS, "axial", (cohort,))
        )
        digest = hashlib.sha256()
        seconds = []
        for step in range(STEPS):
            began = time.process_time()
            batch = batches(step)
            recipe.step(batch, step, fabric)
            seconds.append(time.process_time() - began)
            digest.update(batch["images"].numpy().tobytes())
        found[name] = {
            "open_s": round(opened, 2),
            "step_s": round(float(np.median(seconds[2:])), 4),
            "batches": digest.hexdigest()[:16],
        }
    return {**found, "memory_gib": round((peak() - before) / 2**30, 2)}


def peak() -> int:
    """Largest resident set of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def compared(folder: Path, heads: int) -> dict[str, Any]:
    """Both ways, each in a process of its own."""
    ways = {}
    for name, share in WAYS.items():
        command = [sys.executable, __file__, "--folder", str(folder), "--share", str(share)]
        ways[name] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    held, read = ways.values()
    ratios = {kind: round(read[kind]["step_s"] / held[kind]["step_s"], 3) for kind in ("slices", "patches")}
    same = all(read[kind]["batches"] == held[kind]["batches"] for kind in ratios)
    return {"heads": heads, "grid": SHAPE, **ways, "ratio of a step": ratios, "same batches": same}


def growth(cohorts: list[dict[str, Any]]) -> dict[str, float]:
    """Memory with the largest cohort as a multiple of that with the smallest, of each way."""
    first, last = cohorts[0], cohorts[-1]
    return {way: round(last[way]["memory_gib"] / first[way]["memory_gib"], 2) for way in WAYS}


def main() -> int:
    """Run, write and print; 1 where reading from the store takes too long, grows, or gives other batches."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--heads", type=int, nargs="+", default=HEADS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--share", type=float)
    given = parser.parse_args()
    if given.share is not None:
        print(json.dumps(one_way(given.folder, given.share)))
        return 0
    with tempfile.TemporaryDirectory() as place:
        folder = given.folder or Path(place)
        for heads in given.heads:
            write_heads(folder, heads)
            keep(compared(folder, heads))
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    print(json.dumps(result, indent=2))
    slow = any(max(cohort["ratio of a step"].values()) > LARGEST_RATIO for cohort in result["cohorts"])
    other = not all(cohort["same batches"] for cohort in result["cohorts"])
    return int(slow or other or result["growth of memory"]["from the store"] > LARGEST_RATIO)


def keep(cohort: dict[str, Any]) -> None:
    """Write the numbers of a cohort next to those of other sizes."""
    known = json.loads(RESULT.read_text(encoding="utf-8"))["cohorts"] if RESULT.exists() else []
    others = [one for one in known if one["heads"] != cohort["heads"]]
    cohorts = sorted([*others, cohort], key=lambda one: int(one["heads"]))
    result = {"cohorts": cohorts, "growth of memory": growth(cohorts)}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
