"""How long it takes to read a slice, a case and a batch from the store, beside gzip-compressed NIfTI and plain arrays.

A case is four contrasts of 240 x 240 x 155 voxels, smooth tissue with noise in
an ellipsoid and 0 outside, as skull-stripped scans are.  Times are seconds of
the processor on one thread, files warm; read the ratios.  Writes
`benchmarks/results/store.json`.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import nibabel as nib
import numpy as np
from scipy.ndimage import zoom

from glioforge.core import BRATS2023, COMPLETE, Case, Cohort, Geometry, LabelMap, Lineage, Modality, Volume
from glioforge.data.packed import Packed
from glioforge.data.pairs import SlicePairs
from glioforge.data.preparation.one_case import prepare_case
from glioforge.data.preparation.spec import GridSpec, PrepareSpec
from glioforge.data.slices import read_patch, read_slices
from glioforge.data.store import folder_of, write_case

RESULT = Path(__file__).parent / "results" / "store.json"
GRID = Geometry.isotropic((240, 240, 155))
SMALL = (96, 96, 80)
FOUR = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)
LIMIT_SECONDS = {"slice": 0.01, "batch of 8 slices, 96 x 96": 0.005, "prepare at 2 mm": 12.0}
LEAST_RATIO = 50.0
LARGEST_RATIO = 2.0


def scan() -> Case:
    """A case with one tumour, in no subject's likeness."""
    axes = np.ogrid[:240, :240, :155]
    places = [(axis - centre) / half for axis, centre, half in zip(axes, (120, 118, 75), (68, 85, 65), strict=True)]
    brain = sum(place**2 for place in places) < 1
    images = {}
    for number, modality in enumerate(FOUR):
        rng = np.random.default_rng(number)
        tissue = zoom(rng.normal(size=(24, 24, 16)), (10, 10, 155 / 16), order=1)
        voxels = np.rint(300 + 80 * tissue + rng.normal(0, 10, GRID.shape)) * brain
        images[modality] = Volume(voxels.astype(np.float32), GRID, modality)
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[140:170, 110:140, 70:100] = 2
    labels[150:160, 120:130, 80:90] = 3
    return Case("scan", "nobody", images, Lineage.phantom("nobody", 0), LabelMap(labels, GRID, BRATS2023))


def seconds(work: Callable[[], Any], repeats: int = 5) -> float:
    """Median processor seconds of some calls, after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return round(statistics.median(times), 5)


def peers(case: Case, folder: Path) -> dict[str, dict[str, float]]:
    """Compressed NIfTI and plain memory-mapped arrays, as stored by their usual libraries."""
    stacked = np.stack([case.images[m].voxels for m in FOUR]).astype(np.int16)
    for modality, voxels in zip(FOUR, stacked, strict=True):
        nib.save(nib.Nifti1Image(voxels, GRID.affine), folder / f"{modality}.nii.gz")
    np.save(folder / "scan.npy", np.ascontiguousarray(stacked.transpose(3, 0, 1, 2)))

    def gzipped() -> list[np.ndarray]:
        return [np.asarray(nib.load(folder / f"{m}.nii.gz").dataobj[:, :, 80]) for m in FOUR]

    return {
        "nii.gz": {
            "megabytes": round(sum((folder / f"{m}.nii.gz").stat().st_size for m in FOUR) / 1e6, 2),
            "slice": seconds(gzipped, 2),
        },
        "npy, memory map": {
            "megabytes": round((folder / "scan.npy").stat().st_size / 1e6, 2),
            "slice": seconds(lambda: np.array(np.load(folder / "scan.npy", mmap_mode="r")[80])),
        },
    }


def ours(case: Case, folder: Path) -> dict[str, float]:
    """The store, the batches and one preparation."""
    ref = write_case(folder, case)
    small = halved(case)
    pairs = SlicePairs(Cohort("one", (write_case(folder / "small", small),), COMPLETE), FOUR, batch_size=8, seed=0)
    return {
        "megabytes": round(sum(p.stat().st_size for p in folder_of(ref).iterdir()) / 1e6, 2),
        "slice": seconds(lambda: read_slices(ref, 2, [80])),
        "whole case": seconds(ref.load),
        "write": seconds(lambda: write_case(folder, case), 2),
        "batch of 8 slices, 96 x 96": round(seconds(lambda: [pairs.batch(step) for step in range(20)]) / 20, 5),
        "prepare at 2 mm": seconds(lambda: halved(case), 1),
    }


def halved(case: Case) -> Case:
    """The case as a preparation to 2 mm gives it."""
    return prepare_case(case, PrepareSpec(grid=GridSpec(spacing_mm=2.0)), FOUR, SMALL)


def at_random(case: Case, folder: Path) -> dict[str, dict[str, float]]:
    """Random slices and patches, with labels, from the store and from an uncompressed memory map.

    A patch has 64 x 64 x 32 voxels; all lie about the brain.  Both end with intensities as float32, as in training;
    the store also gives the brain mask.  The maps are opened once, as the store's are.  A slice of a small grid takes
    some ten microseconds, about as long as to see that the files are still the same, which the map does not ask.
    """
    ref = write_case(folder, case)
    stacked = np.stack([case.images[m].voxels for m in FOUR]).astype(np.int16)
    np.save(folder / "plain.npy", np.ascontiguousarray(stacked.transpose(3, 0, 1, 2)))
    np.save(folder / "labels.npy", np.ascontiguousarray(case.require_labels().voxels.transpose(2, 0, 1)))
    rng = np.random.default_rng(0)
    i, j, k = case.geometry.shape
    highest = (i - 64 - i // 8 + 1, j - 64 - j // 8 + 1, k - 32 - k // 15 + 1)
    places = [(int(i), int(j), int(k)) for i, j, k in rng.integers((i // 8, j // 8, k // 15), highest, (40, 3))]
    slices = [k for _, _, k in places]

    images, labels = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("plain", "labels"))

    def plain(i: int, j: int, k: int, size: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        box = slice(i, i + size[0]), slice(j, j + size[1])
        scaled = images[k : k + size[2], :, *box].astype(np.float32) * np.float32(1 / 16)
        return scaled, np.array(labels[k : k + size[2], *box])

    def scaled(part: Packed) -> np.ndarray:
        return part.images * np.array(part.scales, dtype=np.float32)[:, None, None]

    work = {
        "slice": (
            lambda: [scaled(read_slices(ref, 2, [n])) for n in slices],
            lambda: [plain(0, 0, n, (i, j, 1)) for n in slices],
        ),
        "patch": (
            lambda: [scaled(read_patch(ref, place, (64, 64, 32))) for place in places],
            lambda: [plain(*place, (64, 64, 32)) for place in places],
        ),
    }
    result = {}
    for name, (mine, other) in work.items():
        a, b = side_by_side(mine, other)
        result[name] = {"store": round(a / 40, 6), "memory map": round(b / 40, 6), "ratio": round(a / b, 2)}
    return result


def side_by_side(mine: Callable[[], Any], other: Callable[[], Any], repeats: int = 15) -> tuple[float, float]:
    """Least processor seconds of two calls that alternate, after a first of each that warms up."""
    times: dict[Callable[[], Any], list[float]] = {mine: [], other: []}
    for _ in range(repeats + 1):
        for work, taken in times.items():
            start = time.process_time()
            work()
            taken.append(time.process_time() - start)
    return min(times[mine][1:]), min(times[other][1:])


def main() -> int:
    """Measure, write the numbers, and fail where a limit is broken."""
    case = scan()
    with tempfile.TemporaryDirectory() as place:
        store, others = ours(case, Path(place) / "store"), peers(case, Path(place))
        random = {"240 x 240 x 155": at_random(case, Path(place) / "random")}
        random["96 x 96 x 80"] = at_random(halved(case), Path(place) / "small")
    ratio = others["nii.gz"]["slice"] / store["slice"]
    result = {"store": store, **others, "nii.gz slice over store slice": round(ratio, 1), "at random": random}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    broken = [name for name, limit in LIMIT_SECONDS.items() if store[name] > limit]
    if ratio < LEAST_RATIO:
        broken.append("ratio to nii.gz")
    judged = {(grid, kind): row for grid, rows in random.items() for kind, row in rows.items()}
    del judged["96 x 96 x 80", "slice"]
    slow = [place for place, row in judged.items() if row["ratio"] > LARGEST_RATIO]
    broken += [f"random {kind} of {grid}, beside a memory map" for grid, kind in slow]
    for name in broken:
        print(f"limit broken: {name}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
