"""How long an edit of a whole map takes, and whether a thousand edits keep memory flat.

The map is a phantom's, resampled to 240 x 240 x 155 at 1 mm.  Times are seconds
of the processor on one thread, drawing and applying apart; the plane of
symmetry, found once a map, is counted by itself.  The thousand edits run
through the fan-out on a phantom's own grid; peak memory is compared after a
hundred and after all of them.  Writes `benchmarks/results/lesions.json`.
"""

import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from scipy import ndimage

from glioforge.compute.parallel import fan_out
from glioforge.core import COMPLETE, EditError, Geometry, LabelMap, stream
from glioforge.data.phantom.make import make_phantom
from glioforge.lesions import midline
from glioforge.lesions.bank import Donor, LesionBank, canonical
from glioforge.lesions.base import EDITS, Edit
from glioforge.lesions.midline import midsagittal_plane
from glioforge.lesions.patch import cut

RESULT = Path(__file__).parent / "results" / "lesions.json"
SHAPE = (240, 240, 155)
REPEATS = 5
LIMIT_SECONDS = 0.5
MANY = 1000
TUMOUR_ML = 80.0
LENIENT = {"outside_share": 1, "midline_share": 0.5, "ventricle_share": 1, "brainstem_share": 1}
SETTINGS: dict[str, dict[str, Any]] = {
    "scale": {"volume_factor": [1.2, 2.0]},
    "resize_subregion": {"factor": [1.2, 1.5]},
}


def full_size(labels: LabelMap) -> LabelMap:
    """A phantom's map on the grid of the public data sets."""
    zoom = np.array(labels.geometry.spacing)
    fine = ndimage.zoom(labels.voxels, zoom, order=0)
    voxels = np.zeros(SHAPE, dtype=np.uint8)
    size = [min(a, b) for a, b in zip(SHAPE, fine.shape, strict=True)]
    into = tuple(slice((n - s) // 2, (n - s) // 2 + s) for n, s in zip(SHAPE, size, strict=True))
    out_of = tuple(slice((n - s) // 2, (n - s) // 2 + s) for n, s in zip(fine.shape, size, strict=True))
    voxels[into] = fine[out_of]
    return LabelMap(voxels, Geometry.isotropic(SHAPE), COMPLETE)


def grown(labels: LabelMap) -> LabelMap:
    """The map with its lesion scaled to `TUMOUR_ML`, a large tumour."""
    factor = round(TUMOUR_ML / labels.volume_ml("WT"), 3)
    spec = EDITS.parse({"kind": "scale", "volume_factor": [factor, factor], "placement": LENIENT})
    edit = Edit(spec)
    return edit.apply(labels, edit.draw(labels, stream(1, "grown")))


def bank_of(labels: LabelMap) -> LesionBank:
    """A bank of one lesion."""
    return LesionBank((Donor("donor", ("donor",), canonical(cut(labels), labels.geometry)),))


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time and result of some work."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def timed(kind: str, labels: LabelMap, bank: LesionBank) -> dict[str, float]:
    """Median times of drawing and applying one edit."""
    spec = EDITS.parse({"kind": kind, **SETTINGS.get(kind, {})})
    edit: Any = Edit(spec, bank)
    draws, applications, seed = [], [], 0
    while len(draws) < REPEATS:
        seed += 1
        rng = stream(seed, "benchmark", kind)
        try:
            drawn, record = seconds(lambda rng=rng: edit.draw(labels, rng))
        except EditError:
            continue
        applied, _ = seconds(lambda record=record: edit.apply(labels, record))
        draws.append(drawn)
        applications.append(applied)
    draw, application = statistics.median(draws), statistics.median(applications)
    return {"draw_seconds": round(draw, 3), "apply_seconds": round(application, 3)}


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def many_edits(labels: LabelMap) -> dict[str, float]:
    """A thousand edits, one after another, and what they cost."""
    spec = EDITS.parse({"kind": "translate", "distance_mm": [4, 40], "mass_effect": {}})
    edit: Any = Edit(spec)

    def once(number: int) -> int:
        return int(edit.apply(labels, edit.draw(labels, stream(number, "many"))).lesion.sum())

    start, early, done = time.process_time(), 0.0, 0
    for done, _ in enumerate(fan_out(once, range(MANY)), start=1):
        if done == MANY // 10:
            early = peak_mib()
    return {
        "edits": done,
        "seconds_each": round((time.process_time() - start) / MANY, 4),
        "peak_mib_after_a_tenth": round(early, 1),
        "peak_mib_after_all": round(peak_mib(), 1),
    }


def main() -> None:
    """Time all edits and write the result."""
    small, donor = make_phantom(3, 1).truth, make_phantom(3, 3).truth
    labels, bank = grown(full_size(small)), bank_of(full_size(donor))
    midline._search.cache_clear()  # noqa: SLF001 - the first search is what is timed
    plane, _ = seconds(lambda: midsagittal_plane(labels))
    edits = {kind: timed(kind, labels, bank) for kind in EDITS.kinds()}
    result = {
        "machine": f"{platform.machine()}, one thread",
        "grid": list(SHAPE),
        "whole_tumour_ml": round(labels.volume_ml("WT"), 1),
        "plane_of_symmetry_seconds": round(plane, 3),
        "limit_seconds": LIMIT_SECONDS,
        "edits": edits,
        "many": many_edits(small),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    slow = {kind: t for kind, t in edits.items() if t["draw_seconds"] + t["apply_seconds"] > LIMIT_SECONDS}
    if slow:
        print(f"slower than {LIMIT_SECONDS} s: {slow}")


if __name__ == "__main__":
    main()
