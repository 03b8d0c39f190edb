"""What a segmenter sees while it trains: augmented slices of real cases, synthetic ones, or both."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np

from glioforge.core.cohort import Cohort
from glioforge.core.modality import Modality
from glioforge.core.rng import stream_seed
from glioforge.core.schemes import BRATS2023
from glioforge.data.augment import AugmentSpec, augment_batch
from glioforge.data.pairs import Batches, MixedPairs, SlicePairs
from glioforge.data.store import read_packed
from glioforge.segmentation.mix import Mix
from glioforge.segmentation.predict import CLASSES

if TYPE_CHECKING:
    import torch


@final
class SegmenterBatches:
    """Batch of any step: images, and labels as classes 0-3 of scheme BRATS2023.

    Args:
        mix: Cases; read into memory at once.
        modalities: Contrasts, in the order of the network's input channels.
        augment: Classical augmentation, applied to real and synthetic slices alike; none unless given.
        size: Common size of the slices; the grid's own unless given.
        batch_size: Slices in a batch.
        lesion_share: Share of a batch drawn from slices with tumour.
        seed: Seed of the training.
    """

    def __init__(  # noqa: PLR0913 - the settings of a training's input
        self,
        mix: Mix,
        modalities: Sequence[Modality],
        *,
        augment: AugmentSpec | None,
        size: tuple[int, int] | None,
        batch_size: int,
        lesion_share: float,
        seed: int,
    ) -> None:
        first, *others = [
            SlicePairs(
                cohort,
                modalities,
                size=size,
                batch_size=batch_size,
                seed=stream_seed(seed, "slices", place),
                lesion_share=lesion_share,
            )
            for place, cohort in enumerate(mix.used)
        ]
        self._pairs: Batches = MixedPairs(first, others[0], mix.share, seed=seed) if others else first
        self._table = mix.used[0].scheme.table_to(BRATS2023).astype(np.int64)
        self._augment = augment
        self._seed = seed

    def __call__(self, step: int) -> "dict[str, torch.Tensor]":
        """`images` float32 (b, c, x, y) and `labels` int64 (b, x, y) of a step."""
        import torch

        batch = self._pairs.batch(step)
        if self._augment is not None:
            batch = augment_batch(batch, self._augment, seed=self._seed, step=step)
        return {"images": batch["images"], "labels": torch.from_numpy(self._table)[batch["labels"]]}


def class_shares(cohort: Cohort) -> tuple[float, ...]:
    """Share of each class among the voxels of all label maps; at least one voxel a class, so that none is 0."""
    counts = np.ones(CLASSES)
    table = cohort.scheme.table_to(BRATS2023)
    for ref in cohort:
        labels = read_packed(ref).labels
        if labels is not None:
            counts += np.bincount(table[labels].ravel(), minlength=CLASSES)
    return tuple(float(share) for share in counts / counts.sum())
