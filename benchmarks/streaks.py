"""Streaks in FLAIR lesions of held-out subjects, with and without the smoothing across slices.

Glioforge's own synthesizer is trained on phantoms, and on a folder of scans if
one is named, with ten subjects held out.  For each of them one draw is
synthesized from the subject's own label map with the smoothing measured in
training and without it.  Measured: roughness (`metrics.texture.gradient_ratio`) in
lesions, the step within slices, and SSIM in the brain against the scan.  Writes
`benchmarks/results/streaks.json`; fails where a subject's roughness lies outside
0.87 to 1.20, as measured on scans, where the step within slices falls by more
than 3 %, or where SSIM falls by more than 0.005.

Run: `python benchmarks/streaks.py [--data FOLDER]`
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core import Case, Cohort, Modality
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.io.ingestion import ingest
from glioforge.metrics.base import ImagePair
from glioforge.metrics.similarity import ssim
from glioforge.metrics.texture import gradient_ratio, mean_step
from glioforge.synthesis.base import SYNTHESIZERS, TrainedSynthesizer, train_synthesizer
from glioforge.synthesis.trained import read_model

RESULT = Path(__file__).parent / "results" / "streaks.json"
HELD_OUT, STEPS = 10, 600
LOWEST, HIGHEST = 0.87, 1.20
MAX_STEP_FALL, MAX_SSIM_FALL = 0.03, 0.005
CPU = AcceleratorSpec(device="cpu", threads=1)


def rows(cohort: Cohort, folder: Path) -> Iterator[dict[str, float]]:
    """Train on all but the first subjects and measure on those."""
    spec = SYNTHESIZERS.parse({"kind": "sound", "budget": {"steps": STEPS, "validate_every": 100}})
    train = replace(cohort, cases=cohort.cases[HELD_OUT:])
    smoothed = train_synthesizer(train, None, spec, folder, seed=3, accelerator=CPU)
    method, card = read_model(folder)
    method.spec = method.spec.model_copy(update={"smoothing": 0.0})
    plain = TrainedSynthesizer(method, card, folder, CPU)
    for ref in cohort.cases[:HELD_OUT]:
        case = ref.load()
        scan = case.images[Modality.FLAIR].voxels
        yield {
            "scan roughness": gradient_ratio(scan, case.require_labels().lesion),
            **{f"smoothed {name}": value for name, value in measured(smoothed, case).items()},
            **{f"plain {name}": value for name, value in measured(plain, case).items()},
        }


def measured(synthesizer: TrainedSynthesizer, case: Case) -> dict[str, float]:
    """Roughness and step within slices of one draw's lesion, and SSIM in its brain, of FLAIR."""
    labels = case.require_labels()
    images = synthesizer.synthesize(labels, np.random.default_rng(5))
    image, scan, brain = images[Modality.FLAIR].voxels, case.images[Modality.FLAIR].voxels, labels.voxels > 0
    least, most = float(scan[brain].min()), float(scan[brain].max())
    raised = [np.where(brain, v - np.float32(least), np.float32(0)) for v in (image, scan)]
    within = (mean_step(image, labels.lesion, 0) + mean_step(image, labels.lesion, 1)) / 2
    return {
        "roughness": gradient_ratio(image, labels.lesion),
        "step": within,
        "ssim": ssim(ImagePair(raised[0], raised[1], brain, most - least)),
    }


def summary(found: list[dict[str, float]]) -> dict[str, Any]:
    """All subjects and what is asked of them."""
    falls = [1 - row["smoothed step"] / row["plain step"] for row in found]
    worse = [row["plain ssim"] - row["smoothed ssim"] for row in found]
    return {
        "subjects": [{name: round(value, 4) for name, value in row.items()} for row in found],
        "roughness in range": all(LOWEST <= row["smoothed roughness"] <= HIGHEST for row in found),
        "largest fall of the step within slices": round(max(falls), 4),
        "largest fall of SSIM": round(max(worse), 4),
    }


def main() -> int:
    """Measure, write the numbers, and fail where one is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="folder of scans, in a layout that `glioforge ingest` knows")
    data = parser.parse_args().data
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_phantom_cohort(place / "phantoms", cases=30, seed=11)
        sources = {"phantoms": place / "phantoms", **({} if data is None else {"scans": data})}
        for title, source in sources.items():
            cohort = prepare(ingest(source), PrepareSpec(), place / f"{title}-prepared")
            result[title] = summary(list(rows(cohort, place / f"{title}-model")))
            print(title, json.dumps(result[title], indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    missed = [
        title
        for title, entry in result.items()
        if not entry["roughness in range"]
        or entry["largest fall of the step within slices"] > MAX_STEP_FALL
        or entry["largest fall of SSIM"] > MAX_SSIM_FALL
    ]
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
