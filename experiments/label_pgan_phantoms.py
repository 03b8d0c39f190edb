"""Do label maps from noise look like those of phantoms that the network has not seen, without repeating those it has?

A progressive GAN of label maps (preset `varied`, 64 x 64, axial slices) is trained on slices of some phantoms; its
weights are chosen on others; 1,000 maps from it are compared with as many of a third set, with those of the first
snapshot, with what the network adds to (`alone`), and with those of an untrained network that adds to nothing.
Settings were chosen on phantoms of another seed.

    python experiments/label_pgan_phantoms.py --out work --workers 2 > benchmarks/results/label_pgan_phantoms.json

Each part is written to `work` and not made again: stop and repeat the command at will.

Bars
----
passes      at least 80 % pass the plausibility filter, fitted to slices of the training phantoms at 5 %
coverage    with 5 neighbours, at least .5, in shares, areas, contacts and positions of classes
distance    sliced Wasserstein distance at most a quarter of the untrained network's, and below the first snapshot's
copies      median distance to the nearest training map over that of maps of other phantoms: lower bound at least .9
"""

import argparse
import json
import shutil
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
from glioforge.core import COMPLETE, Case, CaseRef, Cohort, LabelMap, Lineage, stream
from glioforge.data.alike import cases_like
from glioforge.data.phantom.make import phantom_id, phantom_labels
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.store import find_case, write_case
from glioforge.io.atomic_write import read_json, write_atomically, write_json
from glioforge.metrics.cohort.distances import manifold
from glioforge.metrics.cohort.label_statistics import label_statistics
from glioforge.metrics.cohort.measure import Table, tamed
from glioforge.metrics.cohort.pyramid import sliced_wasserstein
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.plausible_labels import PlausibleLabelsSpec
from glioforge.report.slices import Picture, label_rgb, picture_grid, seen_from
from glioforge.sampling.base import known_of, train_sampler
from glioforge.sampling.cohort import sample_cohort
from glioforge.sampling.method import SAMPLERS
from glioforge.statistics.intervals import wilson
from glioforge.training.snapshots import load_snapshots

SEED, COUNTS, MAPS = 7, (200, 20, 80), 1000
PHANTOM = PhantomSpec(shape=(64, 64, 22), orientation="RAS")
BUDGET = {"validate_every": 150, "checkpoint_every": 50, "snapshots": 20}
FILTERED_BY = 100
"""Training phantoms that the filter is fitted to."""
NEIGHBOURS, RESAMPLES, DIRECTIONS = 5, 2000, 128


def main() -> None:
    """Make phantoms, train, draw, measure; print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preset", default="varied", choices=("varied", "sound"))
    parser.add_argument("--quick", action="store_true", help="a few phantoms and steps, to see that it runs")
    asked = parser.parse_args()
    counts, budget, maps = (COUNTS, {}, MAPS) if not asked.quick else ((8, 4, 8), {"steps": 20}, 40)
    if asked.quick:
        budget |= {"validate_every": 10, "checkpoint_every": 10}
    named = {"kind": "label_pgan", "preset": asked.preset}
    steps = SAMPLERS.parse(named).budget.steps
    spec = SAMPLERS.parse({**named, "budget": {"steps": steps, **BUDGET, **budget}})
    train, validation, held_out = phantoms(asked.out / "phantoms", counts, asked.workers)
    threads = AcceleratorSpec(device="cpu", precision="32-true", threads=asked.workers)
    shown = TerminalProgress()
    trained = train_sampler(train, validation, spec, asked.out / "model", accelerator=threads, progress=shown)
    began = time.process_time()
    sampled = sample_cohort(trained, maps, asked.out / "sampled")
    if not (asked.out / "drawing.json").is_file():
        write_json(asked.out / "drawing.json", (time.process_time() - began) / maps)
    for ending in ("png", "json"):
        shutil.copy(asked.out / f"model/training/distance.{ending}", asked.out)
    real = chosen(list(cases_like(held_out, sampled)), spec.least, maps)
    made = {"trained": [ref.load() for ref in sampled]}
    snapshots = load_snapshots(asked.out / "model/training")
    first = min(snapshots)
    made["first snapshot"] = drawn(spec, train, len(real), snapshots[first])
    made["untrained"] = drawn(spec.model_copy(update={"modes": 0}), train, len(real), None)
    made["alone"] = drawn(spec, train, len(real), None, atlas=True)
    seen = chosen(list(cases_like(train, sampled)), spec.least, None)
    outcome = trained.card.outcome
    told = {
        "seed": SEED,
        "phantoms": dict(zip(("train", "validation", "held_out"), counts, strict=True)),
        "training_maps": len(seen),
        "maps": len(sampled),
        "spec": spec.model_dump(mode="json"),
        "best_step": outcome.best_step,
        "first_snapshot": first,
        "processor_seconds_per_map": read_json(asked.out / "drawing.json"),
        "training_seconds": outcome.seconds,
    }
    parts: dict[str, Any] = {
        "passes": lambda: passes(sampled, train, made, real),
        "neighbourhoods": lambda: neighbourhoods(made, real),
        "distance": lambda: distances(made, real, seen),
        "copies": lambda: copies(made["trained"], real, seen),
    }
    found = {name: kept(asked.out / f"part-{name}.json", part) for name, part in parts.items()}
    write_atomically(asked.out / "samples.png", picture(made["trained"], real))
    print(json.dumps({**told, **found, "bars": bars(found)}, indent=1))


def bars(found: Mapping[str, Any]) -> dict[str, bool]:
    """Which bars are reached."""
    ours = found["distance"]["trained"]["mean"]
    return {
        "passes": found["passes"]["trained"]["share"] >= 0.8,
        "coverage": found["neighbourhoods"]["trained"]["coverage"] >= 0.5,
        "a quarter of the untrained": ours <= found["distance"]["untrained"]["mean"] / 4,
        "below the first snapshot": ours < found["distance"]["first snapshot"]["mean"],
        "no copies": found["copies"]["low"] >= 0.9,
    }


def kept(path: Path, part: Any) -> Any:  # noqa: ANN401 - a function without arguments, and what it gives
    """What a part gives, from its file where it was there before."""
    if not path.is_file():
        write_json(path, part())
    return read_json(path)


def phantoms(store: Path, counts: Sequence[int], workers: int) -> list[Cohort]:
    """Label maps of phantoms to train on, to choose weights on, and to compare with."""
    jobs = fan_out(partial(phantom, store=store), range(sum(counts)), ParallelSpec(workers=workers), title="phantoms")
    refs, ends = list(jobs), np.cumsum([0, *counts])
    names = ("train", "validation", "held-out")
    return [Cohort(n, tuple(refs[a:b]), COMPLETE) for n, a, b in zip(names, ends, ends[1:], strict=False)]


def phantom(index: int, store: Path) -> CaseRef:
    """The true labels of one phantom; those that lie in the store are not made again."""
    name = phantom_id(SEED, index)
    found = find_case(store, name)
    if found is not None:
        return found
    labels = phantom_labels(SEED, index, PHANTOM)
    return write_case(store, Case(name, name, {}, Lineage.phantom(name, SEED), labels, labels.foreground))


def chosen(cases: Sequence[Case], least: float, count: int | None) -> list[Case]:
    """Slices with enough labels, all of them or some at random."""
    large = [case for case in cases if case.require_labels().foreground.mean() >= least]
    if count is None or count >= len(large):
        return large
    return [large[n] for n in np.sort(stream(SEED, "chosen").permutation(len(large))[:count])]


def drawn(spec: Any, train: Cohort, count: int, state: Any, *, atlas: bool = False) -> list[Case]:  # noqa: ANN401 - the sampler's spec, tensors
    """Maps of a snapshot, or of fresh weights with or without the atlas, at the places of the training maps."""
    seed_torch(1, "weights")
    sampler = SAMPLERS.part_for(spec)(spec, known_of(spec, train))
    if state is None:
        sampler.before_training(sampler.network, train)
        sampler.network.grow_to(spec.levels - 1)
        if not atlas:
            sampler.network.prior.shares.fill_(1 / len(COMPLETE.labels))
    else:
        sampler.network.load_state_dict(state)
    sampler.network.eval()
    plain = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
    maps = (sampler.make(stream(SEED, "drawn", number), plain) for number in range(count))
    return [case_of(labels, f"drawn-{number}", sampler.facts()) for number, labels in enumerate(maps)]


def case_of(labels: LabelMap, name: str, facts: Mapping[str, Any]) -> Case:
    """A map as a case, with the slices of the grid that were learned, which filters read."""
    lineage = Lineage.synthetic("drawn", {}, seed=SEED)
    return Case(name, name, {}, lineage, labels, labels.foreground, facts=facts)


def passes(sampled: Cohort, train: Cohort, made: Mapping[str, Sequence[Case]], real: Sequence[Case]) -> dict[str, Any]:
    """Shares that pass the plausibility filter, with Wilson's interval."""
    part = replace(train, cases=train.cases[:FILTERED_BY])
    fitted = fit_filter(PlausibleLabelsSpec(), part, made=sampled, seed=1)
    found = {}
    for name, cases in {**made, "real": real}.items():
        verdicts = [fitted.assess(case) for case in cases]
        share = wilson(sum(v.keep for v in verdicts), len(verdicts))
        reasons = [v.reason.split(", real")[0].rsplit(" ", 1)[0] for v in verdicts if not v.keep]
        often = {reason: reasons.count(reason) for reason in sorted(set(reasons), key=reasons.count)[:-9:-1]}
        rest = {"low": share.low, "high": share.high, "of": len(verdicts), "refused_for": often}
        found[name] = {"share": share.estimate, **rest}
    return found


def neighbourhoods(made: Mapping[str, Sequence[Case]], real: Sequence[Case]) -> dict[str, Any]:
    """Precision, recall, density and coverage in statistics of labels, as `glioforge fidelity` standardises them."""
    rows = {name: described(cases[: len(real)]) for name, cases in {**made, "real": real}.items()}
    found = {}
    for name in made:
        both = np.concatenate([rows[name], rows["real"]])
        standard = tamed(Table(len(rows[name])).standardised(both))
        found[name] = vars(manifold(standard[: len(real)], standard[len(real) :], NEIGHBOURS))
    half = len(real) // 2
    order = stream(SEED, "halves").permutation(len(real))
    standard = tamed(Table(0).standardised(rows["real"]))
    found["real halves"] = vars(manifold(standard[order[:half]], standard[order[half : 2 * half]], NEIGHBOURS))
    return found


def described(cases: Sequence[Case]) -> np.ndarray:
    """Statistics of labels, a row a map; 0 where a map is empty."""
    found = [label_statistics(case.require_labels()) for case in cases]
    names = next(list(row) for row in found if row)
    return np.array([[row.get(name, 0.0) for name in names] for row in found])


def distances(made: Mapping[str, Sequence[Case]], real: Sequence[Case], seen: Sequence[Case]) -> dict[str, Any]:
    """Sliced Wasserstein distance of one-hot patches to real maps, and its floor, that of the training maps."""
    other = [seen[n] for n in stream(SEED, "floor").permutation(len(seen))[: len(real)]]
    theirs = hot(real)
    found = {}
    for name, cases in {**made, "real floor": other}.items():
        levels = sliced_wasserstein(hot(cases[: len(real)]), theirs[: len(cases)], count=DIRECTIONS)
        found[name] = {"mean": float(np.mean(levels)), "levels": list(levels)}
    found["ratio_to_floor"] = found["trained"]["mean"] / found["real floor"]["mean"]
    return found


def hot(cases: Sequence[Case]) -> np.ndarray:
    """Maps as one-hot channels `(n, class, x, y)`."""
    flat = np.stack([case.require_labels().voxels[..., 0] for case in cases])
    return np.moveaxis(np.eye(len(COMPLETE.labels), dtype=np.float32)[flat], -1, 1)


def copies(made: Sequence[Case], real: Sequence[Case], seen: Sequence[Case]) -> dict[str, Any]:
    """Share of differing brain pixels to the nearest training map, or its mirror image, over that of other phantoms.

    The interval resamples draws, and phantoms with all their slices.
    """
    ours, theirs = (nearest(cases, seen) for cases in (made, real))
    owners = np.array([case.subject_id for case in real])
    rng = stream(SEED, "copies")
    places = [np.flatnonzero(owners == name) for name in np.unique(owners)]
    ratios = []
    for _ in range(RESAMPLES):
        again = np.concatenate([places[n] for n in rng.integers(len(places), size=len(places))])
        ratios.append(np.median(ours[rng.integers(len(ours), size=len(ours))]) / np.median(theirs[again]))
    low, high = np.quantile(ratios, (0.025, 0.975))
    medians = {"median_made": float(np.median(ours)), "median_real": float(np.median(theirs))}
    tails = {"least_made": float(ours.min()), "least_real": float(theirs.min())}
    return {**medians, **tails, "ratio": medians["median_made"] / medians["median_real"], "low": low, "high": high}


def nearest(cases: Sequence[Case], seen: Sequence[Case]) -> np.ndarray:
    """Pixels that differ from the nearest map seen, over the pixels of brain."""
    known = hot(seen).reshape(len(seen), -1)
    found = []
    for first in range(0, len(cases), 100):
        maps = hot(cases[first : first + 100])
        brain = (1 - maps[:, 0]).sum(axis=(1, 2))
        alike = [(side.reshape(len(side), -1) @ known.T).max(axis=1) for side in (maps, maps[:, :, ::-1])]
        found.append((maps[0, 0].size - np.maximum(*alike)) / np.maximum(brain, 1))
    return np.concatenate(found)


def picture(made: Sequence[Case], real: Sequence[Case]) -> bytes:
    """Four rows of draws and two of slices of other phantoms."""
    sides, aspect = seen_from(2, made[0].geometry.spacing)

    def pictures(cases: Sequence[Case]) -> Iterator[Picture]:
        for case in cases:
            yield Picture(label_rgb(case.require_labels().voxels[..., 0], COMPLETE), sides=sides, aspect=aspect)

    rows = [(f"from noise {n + 1}", list(pictures(made[10 * n : 10 * n + 10]))) for n in range(4)]
    step = max(1, len(real) // 20)
    rows += [(f"phantoms {n + 1}", list(pictures(real[n * step :: 2 * step][:10]))) for n in range(2)]
    return picture_grid(rows, [""] * 10, cell_inch=0.9)


if __name__ == "__main__":
    main()
