"""What numbers about cohorts promise: halves of one cohort are near, planted shifts are seen, and it doesn't take long.

On phantoms, and on a folder of scans if one is named, subjects are halved at random.

    fresh      mean of each distance over 20 fresh halvings, and the share of them, within the central 95 % of 200
               other halvings
    rising     mean of each distance over 20 draws, one half shifted by none and by each of four sizes, must rise
    seconds    sliced Wasserstein distance of 2,000 against 2,000 images of 128 x 128 in less than 60 s on two cores;
               features of 100 cases at 2 mm in less than 5 minutes (measured on some cases of the first cohort, times
               100 over their number)

Shifts: blur of images (widths in voxels) for patches, features, spectrum and consistency; a level of each slice's
own (in standard deviations) for roughness; a checkerboard added (amplitude in standard deviations); images drawn
towards those of one subject (share) for variety; the lesion grown (in voxels) for numbers about labels.

Writes `benchmarks/results/fidelity_bars.json`, also while it works; fails where a promise isn't kept.

Run: `python benchmarks/fidelity_bars.py --work FOLDER [--data FOLDER]`; repeat it to resume.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

from glioforge.compute.parallel import ParallelSpec
from glioforge.core import Case, CaseRef, Cohort, Volume, stream
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.features.radiomics import Radiomics
from glioforge.features.random_convolution import RandomConvolution
from glioforge.features.space import Space
from glioforge.io.atomic_write import read_json, write_atomically, write_json
from glioforge.io.ingestion import ingest
from glioforge.metrics.cohort.halves import Distance, Halves, halves
from glioforge.metrics.cohort.measure import distances
from glioforge.metrics.cohort.pyramid import sliced_wasserstein
from glioforge.runs.fidelity_cases import Described, describe
from glioforge.runs.fidelity_numbers import table_of

RESULT: Final = Path(__file__).parent / "results" / "fidelity_bars.json"
SIZES: Final = {
    "blur": (0.6, 0.8, 1.0, 1.2),
    "slices": (0.1, 0.2, 0.4, 0.8),
    "checkerboard": (0.05, 0.1, 0.2, 0.4),
    "growth": (2.0, 4.0, 6.0, 8.0),
    "collapse": (0.2, 0.4, 0.6, 0.8),
}
"""`docs/explanation/fidelity.md` says why the least blur is 0.6 voxels."""
SHIFT_OF: Final = {
    "roughness": "slices",
    "checkerboard": "checkerboard",
    "labels": "growth",
    "lesion": "growth",
    "label_patches": "growth",
    "variety": "collapse",
}
"""Shift that a space's numbers are asked about; blur for the others."""
NO_DISTANCE: Final = ("manifold_precision", "manifold_recall", "manifold_density", "manifold_coverage")
HALVINGS, DRAWS, PHANTOMS, SUBJECTS, SEED, TIMED = 200, 20, 60, 21, 21, 8
MOST_SECONDS: Final = {"sliced_wasserstein": 60.0, "features": 300.0}


def blurred(case: Case, size: float) -> Case:
    """Images blurred inside the brain."""
    brain = case.brain_mask
    weights = np.maximum(gaussian_filter(brain.astype(np.float32), size), np.float32(1e-6))
    return _with(case, lambda v: gaussian_filter(v * brain, size) / weights * brain)


def levelled(case: Case, size: float) -> Case:
    """A level of its own for every axial slice."""
    levels = stream(SEED, "levels", case.case_id).standard_normal(case.geometry.shape[2]).astype(np.float32)
    return _with(case, lambda v: (v + np.float32(size) * levels) * case.brain_mask)


def checkered(case: Case, size: float) -> Case:
    """A checkerboard of period 2 within slices."""
    i, j, _ = np.indices(case.geometry.shape)
    return _with(case, lambda v: (v + np.float32(size) * (1 - 2 * ((i + j) % 2))) * case.brain_mask)


def grown(case: Case, size: float) -> Case:
    """The lesion grown into the tissue around it, by its most frequent class."""
    labels = case.require_labels()
    lesion = labels.lesion
    larger = binary_dilation(lesion, iterations=int(size)) & labels.foreground & ~lesion
    values = labels.voxels[lesion]
    common = np.bincount(values).argmax() if len(values) else 0
    return replace(case, labels=labels.with_voxels(np.where(larger, common, labels.voxels).astype(np.uint8)))


def collapsed(case: Case, size: float, first: Case) -> Case:
    """Images drawn towards those of one subject, as by a generator that makes one image for everybody."""
    images = {m: first.images[m].voxels for m in case.modalities}
    mixed = {
        m: Volume(((1 - np.float32(size)) * v.voxels + np.float32(size) * images[m]) * case.brain_mask, v.geometry, m)
        for m, v in case.images.items()
    }
    return replace(case, images=mixed)


SHIFTS: Final[dict[str, Callable[..., Case]]] = {
    "blur": blurred,
    "slices": levelled,
    "checkerboard": checkered,
    "growth": grown,
    "collapse": collapsed,
}


def _with(case: Case, change: Callable[[np.ndarray], np.ndarray]) -> Case:
    """The case with changed images."""
    images = {m: Volume(change(v.voxels).astype(np.float32), v.geometry, m) for m, v in case.images.items()}
    return replace(case, images=images)


def described(
    ref: CaseRef, shift: str, size: float, place: Path, spaces: tuple[Space, ...], first: CaseRef | None = None
) -> Described:
    """Description of a shifted case, from its file if it is there; features are extracted of blurred images alone."""
    path = place / f"{ref.case_id}-{shift}-{size}.npz"
    if not path.exists():
        case = ref.load()
        others = [first.load()] if first is not None and shift == "collapse" else []
        shifted = SHIFTS[shift](case, size, *others) if size else case
        write_atomically(path, describe(shifted, spaces, case.modalities).to_bytes())
    return Described.from_bytes(path.read_bytes())


def functions(
    first: list[Described], real: list[Described], features: list[str], *, variety: bool
) -> dict[str, Distance]:
    """Every distance between two lists of cases, by space, metric and level."""
    table = table_of([*first, *real], len(first), features, variety=variety)
    return {
        f"{space}/{metric}/{level}": distance
        for space, metric, level, distance in distances(table)
        if metric not in NO_DISTANCE
    }


def means(distance: Distance, drawn: list[Halves], count: int) -> np.ndarray:
    """Distance of the other half, in the first part of the table, from the real half."""
    return np.array([distance(draw.other - count, draw.real) for draw in drawn])


def promises(cohort: Cohort, place: Path) -> dict[str, Any]:
    """Fresh halves and planted shifts of one cohort."""
    refs = list(cohort)
    count, names = len(refs), [ref.subject_id for ref in refs]
    spaces: tuple[Space, ...] = (RandomConvolution(), Radiomics())
    features = [space.extractor.name for space in spaces]
    plain = [described(ref, "blur", 0.0, place, spaces) for ref in refs]
    of_shift = {
        (shift, size): [described(ref, shift, size, place, spaces if shift == "blur" else (), refs[0]) for ref in refs]
        for shift, sizes in SIZES.items()
        for size in sizes
    }
    of_plain = functions(plain, plain, features, variety=True)
    twice = [f"copy of {name}" for name in names]
    usual = [list(halves(twice, names, draws=HALVINGS, seed=seed)) for seed in (1, 2)]
    fresh = {}
    for name, distance in of_plain.items():
        ends = np.quantile(means(distance, usual[0], count), [0.025, 0.975])
        values = means(distance, usual[1][:DRAWS], count)
        inside = float(np.mean((values >= ends[0]) & (values <= ends[1])))
        fresh[name] = {
            "usual": [round(float(end), 6) for end in ends],
            "mean": round(float(values.mean()), 6),
            "within": bool(ends[0] <= values.mean() <= ends[1]),
            "share_within": inside,
        }
    rising = {}
    for shift, sizes in SIZES.items():
        chosen = [name for name in of_plain if SHIFT_OF.get(name.split("/")[0], "blur") == shift]
        known = features if shift == "blur" else []
        values = {name: [float(means(of_plain[name], usual[1][:DRAWS], count).mean())] for name in chosen}
        for size in sizes:
            found = functions(of_shift[shift, size], plain, known, variety=shift == "collapse")
            for name in chosen:
                values[name].append(float(means(found[name], usual[1][:DRAWS], count).mean()))
            print(shift, size, flush=True)
        rising |= {
            name: {"shift": shift, "means": [round(v, 6) for v in row], "rises": bool((np.diff(row) > 0).all())}
            for name, row in values.items()
        }
    return {"subjects_a_side": len(usual[0][0].real), "fresh": fresh, "rising": rising}


def seconds(cohort: Cohort) -> dict[str, float]:
    """Times on two cores: wall-clock of the distance of patches, and of features of 100 cases."""
    from glioforge.compute.parallel import fan_out

    rng = np.random.default_rng(0)
    images = [rng.standard_normal((2000, 1, 128, 128)).astype(np.float32) for _ in range(2)]
    start = time.perf_counter()
    sliced_wasserstein(*images)
    patches = time.perf_counter() - start
    refs = list(cohort)[:TIMED]
    start = time.perf_counter()
    list(fan_out(_features, refs, ParallelSpec(workers=2)))
    return {"sliced_wasserstein": patches, "features": (time.perf_counter() - start) * 100 / len(refs)}


def _features(ref: CaseRef) -> int:
    """Number of features of a case; extracts them."""
    case = ref.load()
    return sum(len(space.features(case, case.modalities)) for space in (RandomConvolution(), Radiomics()))


def chosen(title: str, folder: Path, work: Path) -> Cohort:
    """The first subjects of a cohort, prepared; phantoms are made where there are none yet."""
    if title == "phantoms":
        write_phantom_cohort(folder, cases=PHANTOMS, seed=SEED)
    cohort = prepare(ingest(folder), PrepareSpec(), work / f"{title}-prepared")
    return cohort.of_subjects(sorted(cohort.subject_ids)[:SUBJECTS])


def main() -> int:
    """Measure, write the numbers as they come, and fail where a promise isn't kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True, help="folder of cohorts and descriptions, for resuming")
    parser.add_argument("--data", type=Path, help="folder of scans, in a layout that `glioforge ingest` knows")
    given = parser.parse_args()
    result: dict[str, Any] = {}
    for title, folder in {"phantoms": given.work / "phantoms", "scans": given.data}.items():
        if folder is not None:
            kept = given.work / f"{title}-bars" / "promises.json"
            if not kept.exists():
                write_json(kept, promises(chosen(title, folder, given.work), kept.parent))
            result[title] = read_json(kept)
            write_json(RESULT, result)
    kept = given.work / "seconds.json"
    if not kept.exists():
        write_json(kept, seconds(chosen("phantoms", given.work / "phantoms", given.work)))
    result["seconds"] = read_json(kept)
    write_json(RESULT, result)
    broken = [
        f"{title}: {name} {promise}"
        for title in result.keys() - {"seconds"}
        for promise, key in (("fresh", "within"), ("rising", "rises"))
        for name, entry in result[title][promise].items()
        if not entry[key]
    ]
    broken += [name for name, most in MOST_SECONDS.items() if result["seconds"][name] >= most]
    print("broken:", broken or "none")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
