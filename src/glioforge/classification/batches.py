"""Batches of slices with their answers, of real cases, synthetic ones, or both in a stated share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast, final

import numpy as np

from glioforge.classification.spec import ClassifierSpec
from glioforge.classification.target import Target, grade_of, shows_tumour
from glioforge.core import Cohort, Modality, stream_seed
from glioforge.data.augment import augment_batch
from glioforge.data.pairs import MixedPairs, SlicePairs
from glioforge.data.sampling import Batches, lesion_table
from glioforge.segmentation.mix import Mix

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
        cohorts = mix.used
        sources = [
            SlicePairs(
                cohort,
                modalities,
                batch_size=spec.batch_size,
                seed=stream_seed(seed, "slices", place),
                lesion_share=LESION_SHARE[target],
            )
            for place, cohort in enumerate(cohorts)
        ]
        self._pairs: Batches = cast("Batches", sources[0])
        if len(sources) > 1:
            self._pairs = MixedPairs(sources[0], sources[1], mix.share, seed=seed)
        self._table = lesion_table(cohorts[0].scheme).astype(bool)
        self._grades = [np.array([grade_of(ref) for ref in cohort]) for cohort in cohorts]
        self._weights = _balance(self._grades)

    def __call__(self, step: int) -> "dict[str, torch.Tensor]":
        """Batch of a step."""
        import torch

        drawn = self._pairs.batch(step)
        batch = {name: drawn[name] for name in ("images", "labels", "brain")}
        if self._spec.augment is not None:
            batch = augment_batch(batch, self._spec.augment, seed=self._seed, step=step)
        if self._target == "grade":
            truth = self._grades_of(drawn)
        else:
            # Counted after augmentation: a tumour that was moved out of the slice is not to be found there.
            tumour = self._table[batch["labels"].numpy()].sum(axis=(1, 2))
            truth = shows_tumour(tumour, batch["brain"].numpy().sum(axis=(1, 2)), self._spec.least_share)
        known = np.isfinite(truth)
        weight = known * (self._weights[np.nan_to_num(truth).astype(int)] if self._target == "grade" else 1.0)
        answers = {"truth": np.nan_to_num(truth), "weight": weight}
        return {"images": batch["images"], **{n: torch.from_numpy(a.astype(np.float32)) for n, a in answers.items()}}

    def _grades_of(self, drawn: "dict[str, torch.Tensor]") -> np.ndarray:
        """Grade of the case that each slice comes from."""
        cases = drawn["case"].numpy()
        if len(self._grades) == 1:
            return np.asarray(self._grades[0][cases])
        synthetic = drawn["synthetic"].numpy()
        first, second = (table[np.minimum(cases, len(table) - 1)] for table in self._grades)
        return np.where(synthetic, second, first)


def _balance(grades: Sequence[np.ndarray]) -> np.ndarray:
    """Weight of each answer, inverse to its share of the cases with a known grade; 1 on average."""
    known = np.concatenate(grades)
    counts = np.array([np.count_nonzero(known == value) for value in (0.0, 1.0)])
    return np.asarray(counts.sum() / (2 * np.maximum(counts, 1)))


def cohort_of_knowns(cohort: Cohort) -> Cohort:
    """Return the cases whose grade is known."""
    return cohort.select([ref.case_id for ref in cohort if np.isfinite(grade_of(ref))], cohort.name)
