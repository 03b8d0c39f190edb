"""Slices of which nobody drew a label map, but whose answer is known: those that samplers made as they were asked.

Conventions
-----------
truth   of each case, 1 or 0; half of the rows of a draw are of each answer, where the cases have both
labels  0 everywhere
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Float64

from glioforge.core import Cohort, CohortError, Modality, stream

if TYPE_CHECKING:
    import torch


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
