"""What samplers of slices and of patches share: their promise, and the checks of the cases they take."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from jaxtyping import Bool

from glioforge.core.errors import CohortError
from glioforge.core.labels import LabelScheme, LabelVoxels
from glioforge.core.modality import Modality
from glioforge.core.volume import Mask
from glioforge.data.packed import Packed

if TYPE_CHECKING:
    import torch

Row = TypeVar("Row")
"""Where one sample of a batch comes from: a slice by its number, or a patch by its corner."""


class Batches(Protocol):
    """Gives the batch of any step."""

    batch_size: int

    def batch(self, step: int) -> "dict[str, torch.Tensor]":
        """The batch of this step; the same step gives the same bytes."""
        ...


class Source(Protocol[Row]):
    """Batches whose rows can be drawn without being read."""

    batch_size: int
    modalities: tuple[Modality, ...]
    scheme: LabelScheme

    @property
    def size(self) -> tuple[int, ...]:
        """Grid of every sample."""
        ...

    def draw(self, step: int) -> list[Row]:
        """Rows of this step's batch."""
        ...

    def take(self, rows: Sequence[Row]) -> "dict[str, torch.Tensor]":
        """Rows as a batch."""
        ...


def parts_of(packed: Packed, modalities: Sequence[Modality], case_id: str) -> tuple[list[int], LabelVoxels, Mask]:
    """Stored channel of each contrast, labels, and brain (the labels' foreground where it has no mask) of a case.

    Raises:
        CohortError: The case lacks a contrast, or labels.
    """
    missing = [str(m) for m in modalities if m not in packed.modalities]
    if missing or packed.labels is None:
        raise CohortError(
            f"case {case_id!r} without {', '.join(missing) or 'labels'}",
            "every contrast asked for, and labels",
            "leave the case out, or ask for fewer contrasts",
        )
    brain = packed.labels > 0 if packed.brain is None else packed.brain
    return [packed.modalities.index(m) for m in modalities], packed.labels, brain


def lesion_table(scheme: LabelScheme) -> Bool[np.ndarray, "256"]:
    """Whether each integer of a scheme is tumour."""
    table = np.zeros(256, dtype=bool)
    table[list(scheme.lesion_values)] = True
    return table


def whole(expected: float, rng: np.random.Generator) -> int:
    """The number rounded down or up at random, so that it is right on average."""
    return int(expected) + int(rng.random() < expected - int(expected))
