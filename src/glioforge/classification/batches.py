"""Batches of slices with their answers, of real cases, synthetic ones, or both in a stated share.

The answer of a slice is read from its label map.  A slice that a sampler made without a label map has the answer that
the sampler was asked for (`KnownSlices`).

Conventions
-----------
truth   of each case, 1 or 0; half of the rows of a draw are of each answer, where the cases have both
labels  0 everywhere
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np
from jaxtyping import Float64

from glioforge.classification.target import ClassifierSpec, Target, answer_of, grade_of, shows_tumour
from glioforge.core import Cohort, CohortError, Modality, stream, stream_seed
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


def without_labels(cohort: Cohort) -> bool:
    """Return whether the cases have no label maps.

    Raises:
        CohortError: Some have one and others have none.
    """
    bare = [ref.case_id for ref in cohort if ref.labels is None and ref.load().labels is None]
    if bare and len(bare) < len(cohort):
        raise CohortError(
            f"{len(bare)} of {len(cohort)} cases without a label map, such as {bare[0]!r}",
            "label maps for all cases or for none",
            "give them to a study as two sources",
            cohort.where,
        )
    return bool(bare)


@final
class KnownSlices:
    """Batches of slices without label maps; all are held in memory, in half precision.

    Args:
        cohort: Cases one voxel thick along the last axis, all of one size.
        modalities: Contrasts, in this order.
        truth: Answer of each case.
        batch_size: Slices in a batch.
        seed: Seed of the draws.

    Raises:
        CohortError: There is no case, a case is no axial slice, sizes differ, or an answer is not known.
    """

    def __init__(
        self,
        cohort: Cohort,
        modalities: Sequence[Modality],
        truth: Float64[np.ndarray, "case"],
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self.batch_size, self.modalities, self.scheme = batch_size, tuple(modalities), cohort.scheme
        self._seed = seed
        cases = [ref.load() for ref in cohort]
        shapes = {case.geometry.shape for case in cases}
        if len(shapes) != 1 or next(iter(shapes))[2] != 1:
            raise CohortError(
                f"cases of shapes {sorted(shapes)}", "axial slices of one size", "sample them again", cohort.where
            )
        if not np.isfinite(truth).all():
            raise CohortError(
                f"{np.count_nonzero(np.isnan(truth))} of {len(truth)} slices without label maps and answer",
                "the answer of every slice among its facts",
                "take a sampler that was asked for it",
                cohort.where,
            )
        self._images = np.stack([case.stack(self.modalities)[..., 0] for case in cases]).astype(np.float16)
        self._brain = np.stack([case.brain_mask[..., 0] for case in cases])
        self._groups = [rows for rows in (np.flatnonzero(truth == value) for value in (1.0, 0.0)) if len(rows)]

    @property
    def size(self) -> tuple[int, int]:
        """Size `(x, y)` of every slice."""
        _, x, y = self._brain.shape
        return x, y

    def batch(self, step: int) -> "dict[str, torch.Tensor]":
        """The batch of this step."""
        return self.take(self.draw(step))

    def draw(self, step: int) -> list[int]:
        """Place of each slice of this step's batch, answers in turn."""
        rng = stream(self._seed, "known slices", step)
        groups = [self._groups[n % len(self._groups)] for n in range(self.batch_size)]
        return [int(group[rng.integers(len(group))]) for group in groups]

    def take(self, rows: Sequence[int]) -> "dict[str, torch.Tensor]":
        """Slices as a batch; no rows give tensors of length 0."""
        import torch

        places = np.array(rows, dtype=np.int64)
        arrays = {
            "images": self._images[places].astype(np.float32),
            "labels": np.zeros((len(places), *self.size), dtype=np.int64),
            "brain": self._brain[places],
            "case": places,
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
