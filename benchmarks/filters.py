"""What quality filters promise, on phantoms: each rejects the faults planted for it, and few real cases.

Phantoms on a coarse grid are divided by subject.  Each filter is fitted on the first part; then

    held out   share of the other part that it refuses, with a 95 % interval (Clopper & Pearson 1934) that has to
               contain the stated share, 5 %
    planted    share that it refuses of held-out cases with a fault of each kind that it is made for, at least 90 %

Volumes are whole phantoms; slices are their axial slices as samplers write them, one from each held-out subject, so
that trials are independent.  `duplicate` has a margin by default, which lowers its false rejects; its stated share is
measured without.  `segmenter_agreement` uses a stand-in for a segmenter, the true labels with errors drawn by seed,
whose limit is what is tested.  Filters of experts repeat what experts say and have no rate of their own.

Writes `benchmarks/results/filters.json`, also while it works; fails where a promise isn't kept.

Run: `python benchmarks/filters.py --work FOLDER`; repeat it to resume.  `--short` takes few phantoms and writes below
the folder of work; CI does so for slices.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from scipy import ndimage
from statsmodels.stats.proportion import proportion_confint

from glioforge.core import COMPLETE, Case, CaseRef, Cohort, Geometry, LabelMap, Lineage, Volume, stream
from glioforge.data.alike import SLICES_FROM, SLICES_TO, slices_like
from glioforge.data.phantom.make import make_phantom
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.store import find_case, write_case
from glioforge.io.atomic_write import read_json, write_json
from glioforge.quality.base import FILTERS, Model, fit_filter

RESULT: Final = Path(__file__).parent / "results" / "filters.json"
SEED, TRAIN, HELD_OUT, FEW, STATED, LEAST = 3, 60, 60, 25, 0.05, 0.9
MIDDLE: Final = (0.35, 0.65)
PLANE: Final = Geometry((64, 64, 1), np.diag([3.225, 3.225, 3.667, 1.0]))
Fault = Callable[[Case], Case]


@dataclass(frozen=True)
class Held:
    """A reader that has the case already."""

    case: Case

    def __call__(self, ref: CaseRef, /) -> Case:  # noqa: ARG002 - the protocol's signature
        """Give the case."""
        return self.case


class Stand:
    """A stand-in for a segmenter: each region is moved by up to a voxel, and sometimes grown or shrunk."""

    lineage = Lineage.real("stand-in", "nobody")

    def __init__(self, shown: dict[str, LabelMap]) -> None:
        self._shown = shown

    def segment(self, case: Case) -> LabelMap:
        """Find what the images show, by the case's id without its fault, with errors."""
        name = case.case_id.split("+")[0]
        rng = stream(SEED, "segmenter", name)
        truth = self._shown[name]
        moved = np.roll(truth.voxels, rng.integers(-1, 2, 3), axis=(0, 1, 2))
        lesion = np.isin(moved, truth.scheme.lesion_values)
        if rng.random() < 0.5:
            lesion &= ndimage.binary_erosion(lesion) | (rng.random(lesion.shape) < 0.7)
        return truth.with_voxels(np.where(lesion, moved, np.where(truth.voxels > 3, truth.voxels, 4)).astype(np.uint8))


def images(case: Case, change: Callable[[np.ndarray], np.ndarray]) -> Case:
    """The case with every contrast changed inside the brain."""
    inside = case.brain_mask
    made = {m: Volume((change(v.voxels) * inside).astype(np.float32), v.geometry, m) for m, v in case.images.items()}
    return replace(case, images=made)


def labels(case: Case, voxels: np.ndarray) -> Case:
    """The case with other labels, whose foreground is its brain."""
    return replace(case, labels=case.require_labels().with_voxels(voxels.astype(np.uint8)), brain=None)


def thick(case: Case, size: float) -> tuple[float, ...]:
    """A width along each axis, 0 along a thin one."""
    return tuple(0.0 if n == 1 else size for n in case.geometry.shape)


def blurred(case: Case) -> Case:
    """Images without detail."""
    width, inside = thick(case, 1.2), case.brain_mask.astype(np.float32)
    weight = np.maximum(ndimage.gaussian_filter(inside, width), 1e-3)
    return images(case, lambda v: ndimage.gaussian_filter(v * inside, width) / weight)


def noisy(case: Case) -> Case:
    """Noise of half a standard deviation."""
    rng = stream(SEED, "noisy", case.case_id)
    return images(case, lambda v: v + rng.normal(0, 0.5, v.shape))


def shifted(case: Case) -> Case:
    """A level that is one standard deviation too high."""
    return images(case, lambda v: v + 1)


def flattened(case: Case) -> Case:
    """A third of the contrast."""
    return images(case, lambda v: v * 0.3)


def checkered(case: Case) -> Case:
    """The checkerboard that up-convolutions leave."""
    return images(case, lambda v: v + 0.5 * (1 - 2 * (np.indices(v.shape).sum(axis=0) % 2)))


def swapped(case: Case) -> Case:
    """Contrasts under each other's names."""
    names = list(case.images)
    turned = zip(names, names[1:] + names[:1], strict=True)
    return replace(case, images={a: Volume(case.images[b].voxels, case.geometry, a) for a, b in turned})


def dark_oedema(case: Case) -> Case:
    """Tissue painted in the mirrored intensity, class by class."""
    return images(case, lambda v: -v)


def specks(case: Case) -> Case:
    """A tenth of the labelled voxels with a class by chance."""
    rng = stream(SEED, "specks", case.case_id)
    voxels = case.require_labels().voxels
    wrong = (voxels > 0) & (rng.random(voxels.shape) < 0.1)
    return labels(case, np.where(wrong, rng.integers(1, 7, voxels.shape), voxels))


def between(case: Case) -> Case:
    """Class integers smoothed and rounded, as between the classes of an ordinal sampler."""
    return labels(case, np.rint(ndimage.gaussian_filter(case.require_labels().voxels.astype(float), thick(case, 1.2))))


def patches(case: Case) -> Case:
    """Blocks of a class anywhere, as those that Foroozandeh & Eklund show; a sixteenth of the width, a tenth in 3-D."""
    rng = stream(SEED, "patches", case.case_id)
    voxels = case.require_labels().voxels.copy()
    for _ in range(5):
        half = 3 if 1 in voxels.shape else 5
        place = rng.integers(0, voxels.shape)
        voxels[tuple(slice(max(0, p - half), p + half) for p in place)] = rng.integers(1, 7)
    return labels(case, voxels)


def displaced(case: Case) -> Case:
    """The head an eighth of the grid from its place."""
    return labels(case, np.roll(case.require_labels().voxels, 8, axis=0))


def halved(case: Case) -> Case:
    """Two fifths of the grid without brain."""
    voxels = case.require_labels().voxels.copy()
    voxels[: voxels.shape[0] * 2 // 5] = 0
    return labels(case, voxels)


def without_csf(case: Case) -> Case:
    """CSF labelled as white matter."""
    voxels = case.require_labels().voxels
    return labels(case, np.where(voxels == 6, 4, voxels))


def scattered(case: Case) -> Case:
    """Six balls of enhancing tumour in normal brain, without oedema."""
    rng = stream(SEED, "scattered", case.case_id)
    voxels = case.require_labels().voxels.copy()
    tissue = np.argwhere(voxels > 3)
    for place in tissue[rng.integers(len(tissue), size=6)]:
        near = sum((axis - p) ** 2 for axis, p in zip(np.indices(voxels.shape), place, strict=True)) < 6
        voxels[near & (voxels > 0)] = 3
    return labels(case, voxels)


def moved_lesion(case: Case) -> Case:
    """The lesion in the label map alone on the other side of the head."""
    voxels = case.require_labels().voxels
    lesion = np.flip(np.where(voxels < 4, voxels, 0), axis=0)
    bare = np.where((voxels > 0) & (voxels < 4), 4, voxels)
    return labels(case, np.where((lesion > 0) & (voxels > 0), lesion, bare))


IMAGE_FAULTS: Final = (blurred, noisy, shifted, flattened, checkered, swapped)
PLANTED: Final[dict[str, tuple[Fault, ...]]] = {
    "plausible_labels": (specks, between, patches, displaced, halved, without_csf, scattered),
    "pixel_zscore": (between, displaced, halved),
    "label_autoencoder": (specks, between),
    "feature_outlier": IMAGE_FAULTS,
    "class_statistics": (shifted, swapped, dark_oedema),
    "discriminator_score": IMAGE_FAULTS,
    "segmenter_agreement": (moved_lesion,),
}
"""Faults that each filter is made for; `duplicate` gets copies of training cases."""
SETTINGS: Final[dict[str, dict[str, Any]]] = {"duplicate": {"margin": 0.0}}
IN_SLICES: Final = ("plausible_labels", "pixel_zscore", "label_autoencoder", "feature_outlier")


def copied(case: Case) -> Case:
    """A training case with a little noise, every second one mirrored."""
    rng = stream(SEED, "copied", case.case_id)
    changed = images(case, lambda v: v + rng.normal(0, 0.1, v.shape))
    if rng.random() < 0.5:
        return changed
    flipped = {m: replace(v, voxels=v.voxels[::-1].copy()) for m, v in changed.images.items()}
    return replace(changed, images=flipped, brain=case.brain_mask[::-1].copy(), labels=None)


def phantoms(work: Path, count: int) -> Cohort:
    """Phantoms with their true tissue, in z-scores within the brain; those that are there are kept."""
    spec = PhantomSpec(shape=(64, 64, 48), orientation="RAS")
    refs = []
    for index in range(count):
        store = work / "phantoms" / "cases"
        found = find_case(store, f"phantom-{SEED:03d}-{index:04d}")
        if found is None:
            phantom = make_phantom(SEED, index, spec)
            inside = phantom.case.brain_mask
            scaled = {
                m: Volume(np.where(inside, (v.voxels - v.voxels[inside].mean()) / v.voxels[inside].std(), 0), grid, m)
                for m, v in phantom.case.images.items()
                for grid in (v.geometry,)
            }
            found = write_case(store, replace(phantom.case, images=scaled, labels=phantom.truth))
        refs.append(found)
    return Cohort("phantoms", tuple(refs), COMPLETE)


def held(cases: list[Case]) -> Cohort:
    """A cohort in memory."""
    return Cohort(
        "made",
        tuple(
            CaseRef(
                case.case_id,
                case.subject_id,
                {m: Path(case.case_id) for m in case.images},
                COMPLETE.name,
                case.lineage,
                case.case_id,
                Held(case),
                labels=None if case.labels is None else Path(case.case_id),
                facts=case.facts,
            )
            for case in cases
        ),
        COMPLETE,
    )


def slices(cohort: Cohort) -> Iterator[Case]:
    """One axial slice of each case from the middle of the grid, as a sampler writes it."""
    for ref in cohort:
        cut = list(slices_like(ref.load(), PLANE, *MIDDLE))
        chosen = cut[int(stream(SEED, "slice", ref.case_id).integers(len(cut)))]
        yield replace(chosen, facts={SLICES_FROM: MIDDLE[0], SLICES_TO: MIDDLE[1]})


def faulty(cases: list[Case], fault: Fault) -> Iterator[Case]:
    """Every case with a fault, under a name of its own."""
    return (replace(fault(case), case_id=f"{case.case_id}+{fault.__name__}") for case in cases)


def measured(kind: str, train: Cohort, cases: list[Case], own: list[Case]) -> dict[str, Any]:
    """False-reject rate and shares of planted faults that are rejected.

    Args:
        kind: Of the filter.
        train: Real training cases.
        cases: Held-out real cases in the form that is judged.
        own: Training cases, for copies.
    """
    spec = FILTERS.parse({"kind": kind, **SETTINGS.get(kind, {})})
    planted = PLANTED.get(kind, (copied,))
    models: dict[str, Model] = {}
    if kind == "segmenter_agreement":
        shown = {case.case_id: case.require_labels() for case in (*cases, *(ref.load() for ref in train))}
        models["segmenter"] = Stand(shown)
    made = cases
    if kind == "discriminator_score":
        made = [case for fault in planted for case in faulty(cases[:FEW], fault)]
    fitted = fit_filter(spec, train, made=held(made), models=models, seed=SEED)
    refused = sum(not fitted.assess(case).keep for case in cases)
    low, high = (float(end) for end in proportion_confint(refused, len(cases), method="beta"))
    shares = {}
    for fault in planted:
        base = own if fault is copied else cases[: FEW if kind == "discriminator_score" else None]
        shares[fault.__name__] = float(np.mean([not fitted.assess(case).keep for case in faulty(base, fault)]))
    return {
        "stated": STATED,
        "held_out": len(cases),
        "refused": refused,
        "rate": refused / len(cases),
        "interval": [low, high],
        "holds": low <= STATED <= high,
        "planted": shares,
        "finds": min(shares.values()) >= LEAST,
    }


def run(
    work: Path, out: Path, train_count: int, held_count: int, forms: tuple[str, ...] = ("slices", "volumes")
) -> dict[str, Any]:
    """Measure every filter on volumes, and those of slices on slices; what is in the file is kept."""
    cohort = phantoms(work, train_count + held_count)
    ids = [ref.case_id for ref in cohort]
    train, rest = cohort.select(ids[:train_count]), cohort.select(ids[train_count:])
    results: dict[str, Any] = read_json(out) if out.is_file() else {"train": train_count, "seed": SEED, "filters": {}}
    own = [ref.load() for ref in train.cases[: min(60, train_count)]]
    for form, kinds in (("slices", IN_SLICES), ("volumes", (*PLANTED, "duplicate"))):
        if form not in forms:
            continue
        cases = list(slices(rest)) if form == "slices" else [ref.load() for ref in rest]
        for kind in kinds:
            name = f"{kind} on {form}"
            if name not in results["filters"]:
                results["filters"][name] = measured(kind, train, cases, own)
                write_json(out, results)
                print(name, results["filters"][name], flush=True)
    return results


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--short", action="store_true", help="few phantoms; results below the folder of work")
    given = parser.parse_args()
    out, counts = (given.work / "filters.json", (24, 16)) if given.short else (RESULT, (TRAIN, HELD_OUT))
    results = run(given.work, out, *counts)
    failed = [name for name, found in results["filters"].items() if not (found["holds"] and found["finds"])]
    if failed:
        raise SystemExit(f"promises that are not kept: {', '.join(failed)}")


if __name__ == "__main__":
    main()
