"""How many cases a minute are prepared, beside nibabel and MONAI doing the same work in the same run.

A case is four contrasts of 240 x 240 x 155 voxels in compressed NIfTI with a
label map, as `benchmarks/store.py` makes it.  Both sides read it, turn it to
RAS, crop it to one grid around the brain, normalise each contrast within the
brain and cut it off at 5, and keep the result, the others as the compressed
NIfTI that MONAI writes.  Normal tissue is left out: MONAI has no counterpart.
Times are seconds of the processor on one thread; read the ratio.  Writes
`benchmarks/results/prepare.json`; fails where Glioforge takes half as long again
as the others.  It does more: it finds the brain, accounts for what the grid
cuts off, and checks the hashes of what it reads.
"""

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import nibabel as nib
import numpy as np
import torch
from monai import transforms as mt
from store import FOUR, GRID, scan

from glioforge.data.prepare.one_case import prepare_case
from glioforge.data.prepare.spec import GridSpec, PrepareSpec
from glioforge.data.store import write_case
from glioforge.io.ingest import ingest
from glioforge.io.layout import LAYOUTS

RESULT = Path(__file__).parent / "results" / "prepare.json"
CASES = 2
SIZE = (144, 176, 136)
LEAST_RATIO = 0.67


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


def ours(folder: Path, out: Path) -> list[float]:
    """Seconds a case with Glioforge."""
    spec = PrepareSpec(tissue=None, grid=GridSpec(size=SIZE))
    times = []
    for ref in ingest(folder, LAYOUTS.parse("brats")):
        start = time.process_time()
        write_case(out, prepare_case(ref.load(), spec, FOUR, SIZE))
        times.append(time.process_time() - start)
    return times


def theirs(rows: list[dict[str, str]], out: Path) -> list[float]:
    """Seconds a case with nibabel and MONAI."""
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
            mt.SaveImaged(everything, output_dir=out, print_log=False, separate_folder=True),
        ]
    )
    times = []
    for row in rows:
        start = time.process_time()
        steps(row)
        times.append(time.process_time() - start)
    return times


def main() -> int:
    """Measure, write the numbers, and fail where the ratio is too small."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = write_scans(folder / "scans")
        mine, peers = ours(folder / "scans", folder / "ours"), theirs(rows, folder / "theirs")
    seconds = {"glioforge": statistics.median(mine), "nibabel and MONAI": statistics.median(peers)}
    ratio = seconds["nibabel and MONAI"] / seconds["glioforge"]
    result = {
        "cases": CASES,
        "seconds a case": {name: round(value, 3) for name, value in seconds.items()},
        "cases a minute": {name: round(60 / value, 1) for name, value in seconds.items()},
        "times as fast": round(ratio, 2),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return int(ratio < LEAST_RATIO)


if __name__ == "__main__":
    raise SystemExit(main())
