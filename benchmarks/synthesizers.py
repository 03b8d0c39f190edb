"""Time of a training step, and of a whole volume of 240 x 240 x 155 with four contrasts, for every synthesizer.

Each kind's preset `sound` is trained on two phantoms for a few steps (their time
is told by the difference between a short and a longer training), then makes one
volume from a phantom's label map resampled to 1 mm.  A limit of 60 s on two
cores holds for the quickest.  Results are kept by the name of the device in
`benchmarks/results/synthesizers.json`.

Run: `python benchmarks/synthesizers.py [--device cpu] [--threads 2] [--kinds sound spade] [--preset sound]`
"""

import argparse
import json
import platform
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from glioforge.compute.accelerator import AcceleratorSpec, device_of
from glioforge.core import Cohort, Geometry, LabelMap, stream
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.io.ingestion import ingest
from glioforge.synthesis.base import SYNTHESIZERS, TrainedSynthesizer, train_synthesizer

RESULT = Path(__file__).parent / "results" / "synthesizers.json"
SHAPE = (240, 240, 155)
FEW, MORE = 2, 8
LIMIT_S = 60.0


def cases(folder: Path) -> Cohort:
    """Two prepared phantoms."""
    write_phantom_cohort(folder / "phantoms", cases=2, seed=1)
    return prepare(ingest(folder / "phantoms"), PrepareSpec(), folder / "prepared")


def whole_map(cohort: Cohort) -> LabelMap:
    """A phantom's labels at 1 mm on the grid of the public data sets."""
    labels = next(iter(cohort)).load().require_labels()
    fine = ndimage.zoom(labels.voxels, np.array(labels.geometry.spacing), order=0)
    size = [min(a, b) for a, b in zip(SHAPE, fine.shape, strict=True)]
    voxels = np.zeros(SHAPE, dtype=np.uint8)
    into = tuple(slice((n - s) // 2, (n - s) // 2 + s) for n, s in zip(SHAPE, size, strict=True))
    out_of = tuple(slice((n - s) // 2, (n - s) // 2 + s) for n, s in zip(fine.shape, size, strict=True))
    voxels[into] = fine[out_of]
    return LabelMap(voxels, Geometry(SHAPE, np.eye(4)), labels.scheme)


def trained(
    kind: str, preset: str, steps: int, cohort: Cohort, place: Path, accelerator: AcceleratorSpec
) -> tuple[TrainedSynthesizer, float]:
    """A method after a few steps, and the seconds that took."""
    budget = {"steps": steps, "validate_every": steps, "checkpoint_every": steps}
    values = {"kind": kind, "preset": preset} if SYNTHESIZERS.spec_class(kind).PRESETS else {"kind": kind}
    spec = SYNTHESIZERS.parse({**values, "budget": budget})
    started = time.perf_counter()
    model = train_synthesizer(cohort, None, spec, place / f"{kind}-{steps}", seed=1, accelerator=accelerator)
    return model, time.perf_counter() - started


def measure(
    kind: str, preset: str, cohort: Cohort, labels: LabelMap, place: Path, accelerator: AcceleratorSpec
) -> dict[str, Any]:
    """Numbers of one method."""
    on_gpu = device_of(accelerator).type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    _, short = trained(kind, preset, FEW, cohort, place, accelerator)
    model, longer = trained(kind, preset, FEW + MORE, cohort, place, accelerator)
    volume = volume_seconds(model, labels, warm=on_gpu)
    found: dict[str, Any] = {
        "step_seconds": max(longer - short, 0.0) / MORE,
        "volume_seconds": volume,
        "volumes_a_second": 1 / volume,
        "contrasts": len(model.modalities),
    }
    if on_gpu:
        found["peak_gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
    else:
        found["peak_process_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def volume_seconds(model: TrainedSynthesizer, labels: LabelMap, *, warm: bool) -> float:
    """Wall-clock time of one volume; a GPU makes one beforehand."""
    if warm:
        model.synthesize(labels, stream(0))
    started = time.perf_counter()
    model.synthesize(labels, stream(1))
    return time.perf_counter() - started


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kinds", nargs="*", default=list(SYNTHESIZERS.kinds()))
    parser.add_argument("--preset", default="sound")
    given = parser.parse_args()
    accelerator = AcceleratorSpec(device=given.device, threads=given.threads)
    gpu = device_of(accelerator).type == "cuda"
    device = torch.cuda.get_device_name() if gpu else f"{platform.machine()}, {given.threads} threads"
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    with tempfile.TemporaryDirectory() as name:
        cohort = cases(Path(name))
        labels = whole_map(cohort)
        methods = dict(known.get(device, {}).get(given.preset, {}))
        for kind in given.kinds:
            methods[kind] = measure(kind, given.preset, cohort, labels, Path(name), accelerator)
            print(kind, json.dumps(methods[kind]))
    known.setdefault(device, {"torch": torch.__version__, "shape": SHAPE})[given.preset] = methods
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    quickest = min(
        numbers["volume_seconds"] for kind, numbers in methods.items() if kind not in ("class_intensity", "painted")
    )
    print(f"quickest volume by a network: {quickest:.1f} s, limit {LIMIT_S:.0f} s")


if __name__ == "__main__":
    main()
