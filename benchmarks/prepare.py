"""How long it takes to prepare four-contrast cases of 240 x 240 x 155, beside nibabel with MONAI's transforms.

Both read the same gzip-compressed NIfTI files, orient them to RAS, crop to the
brain, fit a grid of 144 x 176 x 136, normalise within the brain, cut off at
five standard deviations and write the case compressed; registration and tissue
classes are left out, and the results are compared voxel by voxel.  MONAI is
also timed writing plain arrays, which take five times the space.

Times are of the processor, user and system, on one thread; cases alternate
between the programs, so that whatever else the machine does falls on all.
Writes `benchmarks/results/prepare.json`; fails where Glioforge is not twice as
fast as the others writing compressed files, or the results differ.  It does
more: it finds the brain, fills its holes, accounts for what the grid cuts off,
and checks and hashes what it reads and writes.
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
import torch
from monai import transforms as mt
from store import FOUR, GRID, scan

from glioforge.core import CaseRef, bounding_box
from glioforge.data.packed import FINEST_SCALE
from glioforge.data.preparation.one_case import prepare_case
from glioforge.data.preparation.spec import GridSpec, PrepareSpec
from glioforge.data.store import write_case
from glioforge.io.ingestion import ingest
from glioforge.io.layout import LAYOUTS

RESULT = Path(__file__).parent / "results" / "prepare.json"
CASES = 2
ROUNDS = 5
SIZE = (144, 176, 136)
LEAST_RATIO = 2.0
OURS, THEIRS, THEIRS_PLAIN = "glioforge", "nibabel and MONAI", "nibabel and MONAI, not compressed"
Work = Callable[[int], Any]


def write_scans(folder: Path) -> list[dict[str, str]]:
    """Cases in files named as in the BraTS challenges; returns the files by role."""
    case = scan()
    rows = []
    for number in range(CASES):
        name = f"BraTS-GLI-{number:05d}-000"
        place = folder / name
        place.mkdir(parents=True)
        files = {}
        for modality, suffix in zip(FOUR, ("t1n", "t1c", "t2w", "t2f"), strict=True):
            files[str(modality)] = str(place / f"{name}-{suffix}.nii.gz")
            voxels = case.images[modality].voxels.astype(np.int16)
            voxels[voxels != 0] += number  # no scan may come twice
            nib.save(nib.Nifti1Image(voxels, GRID.affine), files[str(modality)])
        files["labels"] = str(place / f"{name}-seg.nii.gz")
        nib.save(nib.Nifti1Image(case.require_labels().voxels, GRID.affine), files["labels"])
        rows.append(files)
    return rows


def ours(refs: list[CaseRef], out: Path) -> Work:
    """Preparation of one case with Glioforge."""
    spec = PrepareSpec(tissue=None, grid=GridSpec(size=SIZE))
    return lambda number: write_case(out, prepare_case(refs[number].load(), spec, FOUR, SIZE))


def theirs(rows: list[dict[str, str]], save: Callable[[list[str]], Any]) -> Work:
    """Preparation of one case with nibabel and MONAI."""
    images, everything = [str(m) for m in FOUR], [*map(str, FOUR), "labels"]
    steps = mt.Compose(
        [
            mt.LoadImaged(everything, reader="NibabelReader", image_only=True),
            mt.EnsureChannelFirstd(everything),
            mt.Orientationd(everything, axcodes="RAS", labels=None),
            mt.CropForegroundd(everything, source_key=images[0], allow_smaller=True),
            mt.ResizeWithPadOrCropd(everything, spatial_size=SIZE),
            mt.NormalizeIntensityd(images, nonzero=True, channel_wise=True),
            mt.Lambdad(images, lambda image: image.clamp(-5, 5)),
            save(everything),
        ]
    )
    return lambda number: steps(dict(rows[number]))


def compressed(out: Path) -> Callable[[list[str]], Any]:
    """Write NIfTI as MONAI does unless told otherwise."""
    return lambda keys: mt.SaveImaged(keys, output_dir=out, print_log=False, separate_folder=True)


def plain(out: Path) -> Callable[[list[str]], Any]:
    """Write tensors as MONAI's caches do."""

    def save(case: dict[str, Any]) -> dict[str, Any]:
        torch.save({key: torch.as_tensor(np.asarray(value)) for key, value in case.items()}, out)
        return case

    return lambda _: save


def timed(works: dict[str, Work]) -> dict[str, dict[str, list[float]]]:
    """Seconds of the processor and of the clock for each case, after a first case of each that does not count."""
    times: dict[str, dict[str, list[float]]] = {name: {"processor": [], "clock": []} for name in works}
    for round_number in range(ROUNDS + 1):
        for number in range(CASES):
            for name, work in works.items():
                starts = time.process_time(), time.perf_counter()
                work(number)
                if round_number:
                    times[name]["processor"].append(time.process_time() - starts[0])
                    times[name]["clock"].append(time.perf_counter() - starts[1])
    return times


def largest_difference(refs: list[CaseRef], rows: list[dict[str, str]], out: Path) -> float:
    """Largest difference of a voxel between both programs' results, brain laid on brain."""
    most = 0.0
    for number, ref in enumerate(refs):
        case = write_case(out, prepare_case(ref.load(), PrepareSpec(tissue=None, grid=GridSpec(size=SIZE)), FOUR, SIZE))
        other = theirs(rows, lambda _: lambda values: values)(number)
        for modality, volume in case.load().images.items():
            mine, peer = volume.voxels, np.asarray(other[str(modality)])[0]
            boxes = bounding_box(mine != 0), bounding_box(peer != 0)
            if boxes[0] is None or boxes[1] is None:
                raise SystemExit(f"an empty image of {ref.case_id}")
            most = max(most, float(np.abs(mine[boxes[0]] - peer[boxes[1]]).max()))
    return most


def main() -> int:
    """Measure, write the numbers, and fail where the ratio is too small or results differ."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = write_scans(folder / "scans")
        refs = list(ingest(folder / "scans", LAYOUTS.parse("brats")))
        works = {
            OURS: ours(refs, folder / "ours"),
            THEIRS: theirs(rows, compressed(folder / "theirs")),
            THEIRS_PLAIN: theirs(rows, plain(folder / "plain.pt")),
        }
        times = timed(works)
        difference = largest_difference(refs, rows, folder / "compared")
    seconds = {name: statistics.median(values["processor"]) for name, values in times.items()}
    result = {
        "cases": CASES,
        "rounds": ROUNDS,
        "seconds a case": {name: round(value, 3) for name, value in seconds.items()},
        "seconds by the clock": {name: round(statistics.median(v["clock"]), 3) for name, v in times.items()},
        "cases a minute": {name: round(60 / value, 1) for name, value in seconds.items()},
        "times as fast": round(seconds[THEIRS] / seconds[OURS], 2),
        "times as fast, theirs not compressed": round(seconds[THEIRS_PLAIN] / seconds[OURS], 2),
        "largest difference of a voxel": round(difference, 6),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return int(result["times as fast"] < LEAST_RATIO or difference > FINEST_SCALE)


if __name__ == "__main__":
    raise SystemExit(main())
