"""Do slices from noise look like slices of phantoms that the network has not seen, without repeating those it has?

A DCGAN (preset `sound`, 64 x 64, one contrast) is trained on slices of half of the phantoms; 1,000 slices from it are
compared with as many of the other half, with those of an early snapshot, of an untrained network without blends, and
with the blends of training slices that the network adds to.  Settings were chosen on slices of further phantoms.

    python experiments/dcgan_phantoms.py --out work --workers 2 > benchmarks/results/dcgan_phantoms.json

Each part is written to `work` and not made again: stop and repeat the command at will.

Bars
----
passes      at least 70 % pass the outlier filter in features, fitted to slices of the training phantoms at 5 %
coverage    with 5 neighbours, at least .5
distance    sliced Wasserstein distance at most a quarter of the untrained network's, and below the early snapshot's
copies      median distance to the nearest training slice over that of slices of other phantoms: lower bound at least .9
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glioforge.cli.progress import TerminalProgress
from glioforge.compute.accelerator import AcceleratorSpec, seed_torch
from glioforge.compute.parallel import ParallelSpec, fan_out
from glioforge.core import COMPLETE, Case, CaseRef, Cohort, Lineage, Volume, stream
from glioforge.data.phantom.make import make_phantom, phantom_id
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.preparation.intensity import normalise
from glioforge.data.store import find_case, write_case
from glioforge.features.random_convolution import RandomConvolution
from glioforge.io.atomic_write import read_json, write_atomically, write_json
from glioforge.metrics.cohort.distances import manifold
from glioforge.metrics.cohort.measure import Table, tamed
from glioforge.metrics.cohort.pyramid import sliced_wasserstein
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.feature_outlier import FeatureOutlierSpec
from glioforge.report.slices import Picture, grey, picture_grid, seen_from
from glioforge.sampling.base import TrainedSampler, train_sampler
from glioforge.sampling.cohort import sample_cohort
from glioforge.sampling.method import SAMPLERS, Sampler
from glioforge.sampling.slices import chosen_slices, scaled, training_slices
from glioforge.statistics.intervals import wilson
from glioforge.training.snapshots import load_snapshots

SEED, TRAINED_ON, HELD_OUT, EACH = 19, 250, 250, 4
PHANTOM = PhantomSpec(shape=(64, 64, 56), orientation="RAS")
# Thousands of training slices are enough for a critic without augmentation.
SAMPLER: Mapping[str, Any] = {
    "kind": "dcgan",
    "modalities": ["t1ce"],
    "batch_size": 16,
    "conditions": ["tumour", "size"],
    "levels": 6,
    "modes": 36,
    "places": 10,
    "losses": {"augment": []},
}
STEPS = 2500
"""Steps of the training, unless given."""
FILTERED_BY = 80
"""Training phantoms that the filter is fitted to."""
NEIGHBOURS = 5
RESAMPLES = 2000


def main() -> None:
    """Make phantoms, train, draw, measure; print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--quick", action="store_true", help="a few phantoms and steps, to see that it runs")
    asked = parser.parse_args()
    began = time.monotonic()
    trained_on, held_out, steps = (12, 12, 20) if asked.quick else (TRAINED_ON, HELD_OUT, asked.steps)
    often = max(1, steps // 10)
    budget = {"steps": steps, "validate_every": often, "checkpoint_every": min(often, 100), "snapshots": 10}
    cohorts = phantoms(asked.out / "phantoms", (trained_on, held_out), asked.workers)
    threads = AcceleratorSpec(device="cpu", precision="32-true", threads=asked.workers)
    spec = SAMPLERS.parse({**SAMPLER, "budget": budget})
    shown = TerminalProgress()
    sampler = train_sampler(cohorts[0], None, spec, asked.out / "model", accelerator=threads, progress=shown)
    found = measured(sampler, cohorts, EACH * held_out, asked.out)
    if not (asked.out / "seconds.json").is_file():
        write_json(asked.out / "seconds.json", time.monotonic() - began)
    told = {"seed": SEED, "trained_on": trained_on, "held_out": held_out, "spec": spec.model_dump(mode="json")}
    seconds = {"training": sampler.card.outcome.seconds if sampler.card.outcome else None}
    print(json.dumps({**told, **found, "seconds": seconds | {"all": read_json(asked.out / "seconds.json")}}, indent=1))


def phantoms(store: Path, counts: tuple[int, int], workers: int) -> tuple[Cohort, Cohort]:
    """Prepared phantoms to train on and to compare with; those that lie in the store are not made again."""
    jobs = fan_out(partial(phantom, store=store), range(sum(counts)), ParallelSpec(workers=workers), title="phantoms")
    refs = list(jobs)
    parts = (("trained on", refs[: counts[0]]), ("held out", refs[counts[0] :]))
    first, second = (Cohort(name, tuple(part), COMPLETE) for name, part in parts)
    return first, second


def phantom(index: int, store: Path) -> CaseRef:
    """One phantom with z-scores and its true labels."""
    found = find_case(store, phantom_id(SEED, index))
    if found is not None:
        return found
    made = make_phantom(SEED, index, PHANTOM)
    brain = made.case.brain_mask
    images = {m: Volume(normalise(v.voxels, brain)[0], v.geometry, m) for m, v in made.case.images.items()}
    return write_case(store, replace(made.case, images=images, labels=made.truth, brain=brain))


def measured(sampler: TrainedSampler, cohorts: tuple[Cohort, Cohort], count: int, out: Path) -> dict[str, Any]:
    """All numbers of the trained sampler, of its early snapshot and of the untrained network."""
    trained_on, held_out = cohorts
    spec = sampler.method.spec
    real = [cut for ref in held_out for cut in spaced(list(chosen_slices(spec, ref.load())))]
    owners = np.array([case.subject_id for case in real])
    count = min(count, len(real))
    sampled = sample_cohort(sampler, count, out / "sampled")
    made = {"trained": [ref.load() for ref in sampled]}
    early = min(load_snapshots(sampler.folder / "training"))
    made["early"] = drawn(early_sampler(sampler, early), count)
    made["untrained"] = drawn(fresh(sampler, modes=0), count)
    made["blends alone"] = drawn(blends(sampler), count)
    pixels = {name: stacked(sampler, cases) for name, cases in {**made, "real": real[:count]}.items()}
    seen = training_slices(spec, trained_on, sampler.card.modalities).images.float().numpy()
    pick = stream(SEED, "pick").permutation(len(seen))[:count]
    pixels["training"] = seen[np.sort(pick)]
    gauss = stream(SEED, "gauss").standard_normal(pixels["real"].shape, dtype=np.float32)
    pixels["gaussian pixels"] = np.clip(seen.mean(axis=0) + seen.std(axis=0) * gauss, -1, 1)
    write_atomically(out / "samples.png", picture(sampler, made["trained"], real))
    return {
        "early_step": early,
        "training_slices": len(seen),
        **filtered(sampled, trained_on, made, real, out),
        "neighbourhoods": neighbourhoods(made, real[:count], sampler),
        "patches": {name: distance(values, pixels["real"]) for name, values in pixels.items() if name != "real"},
        "whole_slices": {name: whole(values, pixels["real"]) for name, values in pixels.items() if name != "real"},
        "copies": copies(pixels["trained"], pixels["real"], seen, owners[:count]),
    }


def spaced(cases: Sequence[Case]) -> list[Case]:
    """`EACH` slices of a case, evenly apart, off the ends."""
    places = (np.arange(EACH) + 0.5) * len(cases) / EACH
    return [cases[int(place)] for place in places]


def early_sampler(sampler: TrainedSampler, step: int) -> Sampler:
    """The method with the weights of an early snapshot."""
    method = fresh(sampler)
    method.network.load_state_dict(load_snapshots(sampler.folder / "training")[step])
    method.settle(stream(1, "settle"))
    return method


def fresh(sampler: TrainedSampler, **changes: Any) -> Sampler:  # noqa: ANN401 - values of the spec
    """The method with fresh weights."""
    seed_torch(1, "weights")
    spec = sampler.method.spec.model_copy(update=changes)
    method = SAMPLERS.part_for(spec)(spec, sampler.method.knowledge)
    method.network.eval()
    return method


def blends(sampler: TrainedSampler) -> Sampler:
    """The method with fresh weights, which add nothing, on the trained sampler's blends of training slices."""
    method = fresh(sampler)
    method.network.prior.load_state_dict(sampler.method.network.prior.state_dict())
    return method


def drawn(method: Sampler, count: int) -> list[Case]:
    """Slices of a method that is no trained model."""
    plain = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
    draws = (method.make(stream(SEED, "drawn", number), plain) for number in range(count))
    return [Case(f"drawn-{n}", f"drawn-{n}", made, Lineage.real("drawn", f"drawn-{n}")) for n, made in enumerate(draws)]


def stacked(sampler: TrainedSampler, cases: Sequence[Case]) -> np.ndarray:
    """Slices as the networks take them, `(case, contrast, x, y)`."""
    return np.stack([scaled(sampler.method.spec, case, sampler.card.modalities) for case in cases])


def filtered(
    sampled: Cohort, trained_on: Cohort, made: Mapping[str, Sequence[Case]], real: Sequence[Case], out: Path
) -> dict[str, Any]:
    """Shares that pass the outlier filter in features, with Wilson's interval."""
    part = replace(trained_on, cases=trained_on.cases[:FILTERED_BY])
    fitted = fit_filter(FeatureOutlierSpec(), part, made=sampled, seed=1)
    found = {}
    for name, cases in {**made, "real": real}.items():
        kept = [fitted.assess(case).keep for case in cases]
        share = wilson(sum(kept), len(kept))
        found[name] = {"share": share.estimate, "low": share.low, "high": share.high, "of": len(kept)}
    write_json(out / "filtered.json", found)
    return {"passes": found}


def neighbourhoods(made: Mapping[str, Sequence[Case]], real: Sequence[Case], sampler: TrainedSampler) -> dict[str, Any]:
    """Precision, recall, density and coverage in features, as `glioforge fidelity` standardises them."""
    space = RandomConvolution()
    names, rows = list(space.features(real[0], sampler.card.modalities)), {}
    for name, cases in {**made, "real": real}.items():
        found = [space.features(case, sampler.card.modalities) for case in cases]
        rows[name] = np.array([[row.get(feature, 0.0) for feature in names] for row in found])
    out = {}
    for name in made:
        both = np.concatenate([rows[name], rows["real"]])
        standard = tamed(Table(len(rows[name])).standardised(both))
        out[name] = vars(manifold(standard[: len(rows[name])], standard[len(rows[name]) :], NEIGHBOURS))
    half = len(real) // 2
    order = stream(SEED, "halves").permutation(len(real))
    standard = tamed(Table(0).standardised(rows["real"]))
    out["real halves"] = vars(manifold(standard[order[:half]], standard[order[half : 2 * half]], NEIGHBOURS))
    return out


def distance(made: np.ndarray, real: np.ndarray) -> dict[str, Any]:
    """Sliced Wasserstein distance of patches: the mean over levels, and each level."""
    levels = sliced_wasserstein(made, real)
    return {"mean": float(np.mean(levels)), "levels": list(levels)}


def whole(made: np.ndarray, real: np.ndarray) -> float:
    """Sliced Wasserstein-2 distance of whole slices, each one point, over 300 directions (Bonneel et al. 2015)."""
    import ot

    flat = [slices.reshape(len(slices), -1).astype(float) for slices in (made, real)]
    return float(ot.sliced_wasserstein_distance(*flat, n_projections=300, seed=1))


def copies(made: np.ndarray, real: np.ndarray, seen: np.ndarray, owners: np.ndarray) -> dict[str, Any]:
    """Distance to the nearest training slice, pixel by pixel, over that of slices of other phantoms.

    The interval resamples draws, and phantoms with all their slices.
    """
    ours, theirs = (nearest(slices, seen) for slices in (made, real))
    rng = stream(SEED, "copies")
    names = np.unique(owners)
    places = [np.flatnonzero(owners == name) for name in names]
    ratios = []
    for _ in range(RESAMPLES):
        again = np.concatenate([places[n] for n in rng.integers(len(names), size=len(names))])
        ratios.append(np.median(ours[rng.integers(len(ours), size=len(ours))]) / np.median(theirs[again]))
    low, high = np.quantile(ratios, (0.025, 0.975))
    medians = {"median_made": float(np.median(ours)), "median_real": float(np.median(theirs))}
    tails = {"least_made": float(ours.min()), "least_real": float(theirs.min())}
    return {
        **medians,
        **tails,
        "ratio": float(np.median(ours) / np.median(theirs)),
        "low": float(low),
        "high": float(high),
    }


def nearest(slices: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Euclidean distance of each slice to the nearest one seen."""
    from sklearn.metrics import pairwise_distances_argmin_min

    flat, known = (values.reshape(len(values), -1) for values in (slices, seen))
    return np.asarray(pairwise_distances_argmin_min(flat, known)[1])


def picture(sampler: TrainedSampler, made: Sequence[Case], real: Sequence[Case]) -> bytes:
    """Three rows of draws and one of slices of other phantoms."""
    modality, axis = sampler.card.modalities[0], 0
    sides, aspect = seen_from(axis, made[0].geometry.spacing)

    def pictures(cases: Sequence[Case]) -> Iterator[Picture]:
        for case in cases:
            shown = np.take(case.images[modality].voxels, 0, axis)
            yield Picture(grey(shown, shown != 0, (-2.5, 3.5)), sides=sides, aspect=aspect)

    rows = [(f"from noise {n + 1}", list(pictures(made[8 * n : 8 * n + 8]))) for n in range(3)]
    step = max(1, len(real) // 8)
    rows.append(("phantoms", list(pictures(real[::step][:8]))))
    return picture_grid(rows, [""] * 8, cell_inch=1.1)


if __name__ == "__main__":
    main()
