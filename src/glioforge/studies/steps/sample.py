"""Draw from a trained sampler of slices, and compare what it makes with slices of unseen subjects."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from glioforge.core import CaseRef, Cohort, Modality, stream
from glioforge.data import write_case
from glioforge.io import write_cohort
from glioforge.metrics import likeness_of_pairs, mean_of_pairs, sliced_wasserstein
from glioforge.sampling import chosen_slices, load_sampler, sample_cohort
from glioforge.studies import Context, Record, Side
from glioforge.studies.steps.train import MODEL

MADE, UNSEEN, SEEN = "made", "unseen", "seen"
"""Folders of slices: from noise, of test subjects, of training subjects."""
FLOOR: Final = "training slices"
"""Arm of the numbers of training subjects' slices, which no sampler can be expected to beat."""
RANGE: Final = 10.0
"""Largest minus smallest z-score of a slice."""


def compare_slices(context: Context, *, sampler: Any, count: int, seed: int) -> Record:  # noqa: ANN401 - any registered spec
    """Draw slices, cut as many of unseen and of training subjects alike, and measure how far they are from each other.

    Args:
        context: The task; reads the sides train and test, and needs a sampler.
        sampler: Settings of the sampler, which say how slices are cut.
        count: Slices of each kind.
        seed: Seed of all draws.
    """
    trained = load_sampler(context.place("sampler") / MODEL, context.accelerator)
    made = sample_cohort(trained, count, context.folder / MADE, name=MADE, seed=seed, progress=context.progress)
    sides: tuple[tuple[str, Side], ...] = ((UNSEEN, "test"), (SEEN, "train"))
    kept = {name: _cut(context, sampler, trained.card.modalities, side, name) for name, side in sides}
    few = min(len(made), *(len(cohort) for cohort in kept.values()))
    numbers = {
        context.task.arm: _numbers(_stack(made, few), _stack(kept[UNSEEN], few)),
        FLOOR: _numbers(_stack(kept[SEEN], few), _stack(kept[UNSEEN], few)),
    }
    known = {"study": context.spec.name, "fold": context.task.fold.index, "seed": context.task.seed}
    known |= {"case_id": "", "subject_id": "", "region": "slice", "unit": "1", "note": f"{few} slices of each kind"}
    rows = [
        known | {"arm": arm if arm != FLOOR else f"{context.task.arm}, {FLOOR}", "metric": metric, "value": value}
        for arm, found in numbers.items()
        for metric, value in found.items()
    ]
    return context.record(rows, details={"slices": few})


def _cut(context: Context, sampler: Any, modalities: Sequence[Modality], side: Side, name: str) -> Cohort:  # noqa: ANN401 - any registered spec
    """Slices of a side as the sampler learns them, drawn over all subjects, as cases of one voxel's thickness."""
    cohort, rng = context.cohort(side), stream(context.task.key["seed"], name)
    found = [cut for ref in cohort for cut in chosen_slices(sampler, ref.load())]
    refs: list[CaseRef] = []
    for number, place in enumerate(rng.permutation(len(found))[: context.task.key["count"]]):
        cut = found[int(place)]
        contrasts = [modalities[number % len(modalities)]] if getattr(sampler, "pooled", False) else modalities
        images = {modality: cut.images[modality] for modality in contrasts}
        refs.append(write_case(context.folder / name, replace(cut, images=images)))
    cut_cohort = Cohort(name, tuple(refs), cohort.scheme)
    write_cohort(cut_cohort, context.folder / name)
    return cut_cohort


def _stack(cohort: Cohort, count: int) -> np.ndarray:
    """First contrast of the first slices, `(slice, 1, row, column)`."""
    images = []
    for ref in cohort.cases[:count]:
        case = ref.load()
        voxels = next(iter(case.images.values())).voxels
        images.append(voxels.reshape([n for n in voxels.shape if n > 1]))
    return np.stack(images)[:, None].astype(np.float32)


def _numbers(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Distance of patches, mean over levels, and by how much pairs are more alike than real ones."""
    pairs = [mean_of_pairs(likeness_of_pairs(images, RANGE)) for images in (made, real)]
    return {
        "sliced_wasserstein": float(np.mean(sliced_wasserstein(made, real))),
        "ms_ssim_gap": abs(pairs[0] - pairs[1]),
    }
