"""Batches of slices with their answers, of real cases, synthetic ones, or both in a stated share.

The answer of a slice is read from its label map; a slice without one has that which its sampler was asked for.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np

from glioforge.classification.known_slices import KnownSlices, without_labels
from glioforge.classification.target import ClassifierSpec, Target, answer_of, grade_of, shows_tumour
from glioforge.core import Cohort, Modality, stream_seed
from glioforge.data import Batches, MixedPairs, SlicePairs, Source, augment_batch, lesion_table
from glioforge.segmentation import Mix

if TYPE_CHECKING:
    import torch

LESION_SHARE = {"tumour": 0.5, "grade": 1.0}
"""Share of a batch drawn from slices with tumour: half where that is asked, all where its grade is."""


@final
class ClassifierBatches:
    """Batch of any step: `images` float32 (b, c, x, y), `truth` float32 (b,) and `weight` float32 (b,).

    Slices that answer neither weigh 0.  Of grades, each answer weighs the same over the training cases.

    Args:
        mix: Cases; read into memory at once where they fit.
        modalities: Contrasts, in the order of the network's input channels.
        spec: Settings.
        target: What is asked.
        seed: Seed of the training.
    """

    def __init__(
        self, mix: Mix, modalities: Sequence[Modality], spec: ClassifierSpec, target: Target, seed: int
    ) -> None:
        self._spec, self._target, self._seed = spec, target, seed
        bare = [without_labels(cohort) for cohort in mix.used]
        self._answers = [_known(cohort, target, one) for cohort, one in zip(mix.used, bare, strict=True)]
        sources: list[Source[Any]] = []
        for place, cohort in enumerate(mix.used):
            how: dict[str, Any] = {"batch_size": spec.batch_size, "seed": stream_seed(seed, "slices", place)}
            if bare[place]:
                sources.append(KnownSlices(cohort, modalities, self._answers[place], **how))
            else:
                sources.append(SlicePairs(cohort, modalities, lesion_share=LESION_SHARE[target], **how))
        self._pairs: Batches = cast("Batches", sources[0])
        if len(sources) > 1:
            self._pairs = MixedPairs(sources[0], sources[1], mix.share, seed=seed)
        self._table = lesion_table(mix.used[0].scheme).astype(bool)
        # Slices without label maps are drawn half of each answer, so that they need no weights.
        drawn = [known for known, one in zip(self._answers, bare, strict=True) if not one and target == "grade"]
        balance = _balance(drawn) if drawn else np.ones(2)
        self._weights = [
            np.ones(len(known)) if one or target != "grade" else balance[np.nan_to_num(known).astype(int)]
            for known, one in zip(self._answers, bare, strict=True)
        ]

    def __call__(self, step: int) -> "dict[str, torch.Tensor]":
        """Batch of a step."""
        import torch

        drawn = self._pairs.batch(step)
        batch = {name: drawn[name] for name in ("images", "labels", "brain")}
        if self._spec.augment is not None:
            batch = augment_batch(batch, self._spec.augment, seed=self._seed, step=step)
        truth = _of_cases(self._answers, drawn)
        if self._target == "tumour":
            # Counted after augmentation: a tumour that was moved out of the slice is not to be found there.
            tumour = self._table[batch["labels"].numpy()].sum(axis=(1, 2))
            shown = shows_tumour(tumour, batch["brain"].numpy().sum(axis=(1, 2)), self._spec.least_share)
            truth = np.where(np.isnan(truth), shown, truth)
        weight = np.isfinite(truth) * _of_cases(self._weights, drawn)
        answers = {"truth": np.nan_to_num(truth), "weight": weight}
        return {"images": batch["images"], **{n: torch.from_numpy(a.astype(np.float32)) for n, a in answers.items()}}


def _known(cohort: Cohort, target: Target, bare: bool) -> np.ndarray:  # noqa: FBT001 - a property of the cohort
    """What each case answers as a whole: its grade, or what a slice without a label map was asked for; else NaN."""
    return np.array([answer_of(ref, target) if bare or target == "grade" else np.nan for ref in cohort])


def _of_cases(tables: Sequence[np.ndarray], drawn: "dict[str, torch.Tensor]") -> np.ndarray:
    """Values of the cases that the slices of a batch come from; a table for each cohort."""
    cases = drawn["case"].numpy()
    if len(tables) == 1:
        return np.asarray(tables[0][cases])
    first, second = (table[np.minimum(cases, len(table) - 1)] for table in tables)
    return np.where(drawn["synthetic"].numpy(), second, first)


def _balance(grades: Sequence[np.ndarray]) -> np.ndarray:
    """Weight of each answer, inverse to its share of the cases with a known grade; 1 on average."""
    known = np.concatenate(grades)
    counts = np.array([np.count_nonzero(known == value) for value in (0.0, 1.0)])
    return np.asarray(counts.sum() / (2 * np.maximum(counts, 1)))


def cohort_of_knowns(cohort: Cohort) -> Cohort:
    """Return the cases whose grade is known."""
    return cohort.select([ref.case_id for ref in cohort if np.isfinite(grade_of(ref))], cohort.name)
