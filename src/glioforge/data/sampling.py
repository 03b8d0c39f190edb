"""Shared by samplers of slices and of patches: the `Batches` protocol, checks of cases, memory, and steps of an epoch.

A cohort that does not fit into memory is read from the store while it is used.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from jaxtyping import Bool, Float32, Int

from glioforge.compute import usable_memory
from glioforge.core import Cohort, CohortError, LabelScheme, LabelVoxels, Mask, Modality
from glioforge.data.packed import Packed
from glioforge.data.store import read_packed, stored_bytes

if TYPE_CHECKING:
    import torch

ABSENT = -1
"""Channel of a contrast that a case lacks."""
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


def parts_of(
    packed: Packed, modalities: Sequence[Modality], case_id: str, *, gaps: bool = False
) -> tuple[list[int], LabelVoxels, Mask]:
    """Stored channel of each contrast, labels, and brain (the labels' foreground where it has no mask) of a case.

    Args:
        packed: The case.
        modalities: Contrasts asked for.
        case_id: For messages.
        gaps: Whether some of the contrasts, but not all, may be missing; their channel is -1.

    Raises:
        CohortError: The case lacks a contrast that it needs, or labels.
    """
    missing = [str(m) for m in modalities if m not in packed.modalities]
    needed = missing and not (gaps and len(missing) < len(modalities))
    if needed or packed.labels is None:
        raise CohortError(
            f"case {case_id!r} without {', '.join(missing) if needed else 'labels'}",
            "at least one of the contrasts asked for, and labels" if gaps else "every contrast asked for, and labels",
            "leave the case out, or ask for other contrasts"
            if gaps
            else "leave the case out, or ask for fewer contrasts",
        )
    brain = packed.labels > 0 if packed.brain is None else packed.brain
    channels = [packed.modalities.index(m) if m in packed.modalities else ABSENT for m in modalities]
    return channels, packed.labels, brain


def scales_of(packed: Packed, channels: Sequence[int]) -> Float32[np.ndarray, "c"]:
    """Factor from stored integers to z-scores for each channel; 0 for a missing one, so that it reads as 0."""
    return np.array([0.0 if c == ABSENT else packed.scales[c] for c in channels], dtype=np.float32)


def lesion_table(scheme: LabelScheme) -> Bool[np.ndarray, "256"]:
    """Whether each integer of a scheme is tumour."""
    table = np.zeros(256, dtype=bool)
    table[list(scheme.lesion_values)] = True
    return table


def slab_around(tumour: Int[np.ndarray, "n"], brain: Int[np.ndarray, "n"], length: int | None) -> Int[np.ndarray, "m"]:
    """Numbers of the slices with brain that lie in a slab around the tumour's centroid.

    Args:
        tumour: Tumour voxels of each slice; without any the slab lies around the brain.
        brain: Brain voxels of each slice.
        length: Slices of the slab, which is moved into the grid where it would leave it; all slices for none.

    Example:
        >>> slab_around(np.array([0, 0, 0, 5, 0, 0]), np.array([0, 1, 1, 1, 1, 1]), 2).tolist()
        [2, 3]
    """
    found = np.flatnonzero(brain)
    if length is None or not len(found):
        return found
    weights = tumour if tumour.any() else (brain > 0).astype(np.int64)
    centre = float((weights * (np.arange(len(weights)) + 0.5)).sum() / weights.sum())
    first = min(max(round(centre - length / 2), 0), max(len(brain) - length, 0))
    return found[(found >= first) & (found < first + length)]


def whole(expected: float, rng: np.random.Generator) -> int:
    """The number rounded down or up at random, so that it is right on average."""
    return int(expected) + int(rng.random() < expected - int(expected))


SHARE = 0.25
"""Share of the machine's memory that a cohort may take: a training often holds two, and several may run at once."""


def fits_in_memory(cohort: Cohort, *, bytes_per_voxel: int | None = None) -> bool:
    """Return whether the voxels of all stored cases fit into a quarter of the memory; other cases do not count.

    Args:
        cohort: Any cohort.
        bytes_per_voxel: Size of a voxel of an image in memory; that of the store (2) unless given.
    """
    room = SHARE * usable_memory()
    for ref in cohort:
        room -= stored_bytes(ref, bytes_per_voxel)
        if room < 0:
            return False
    return True


def steps_of_an_epoch(
    cohorts: Cohort | Iterable[Cohort],
    batch_size: int,
    *,
    axis: int | None,
    lesions_only: bool = False,
    slab: int | None = None,
) -> int:
    """Count the steps that draw as many slices as the training cases have with brain; at least 1.

    Args:
        cohorts: Training cases.
        batch_size: Slices in a step.
        axis: Axis that slices are cut along; none counts every case once, for patches and volumes.
        lesions_only: Count only slices with tumour, unless there are none.
        slab: Count only this many slices around each case's tumour.
    """
    brain = lesion = 0
    for cohort in (cohorts,) if isinstance(cohorts, Cohort) else cohorts:
        values = list(cohort.scheme.lesion_values)
        for ref in cohort:
            packed = read_packed(ref)
            if packed.labels is not None:
                tumour = _voxels(np.isin(packed.labels, values), axis)
                inside = _voxels(packed.labels > 0 if packed.brain is None else packed.brain, axis)
                within = slab_around(tumour, inside, slab)
                lesion += int(np.count_nonzero(tumour if slab is None else tumour[within]))
                brain += len(within)
    counted = lesion if lesions_only and lesion else brain
    return max(1, -(-counted // batch_size))


def _voxels(stored: np.ndarray, axis: int | None) -> np.ndarray:
    """Voxels of a stored mask `(k, i, j)` in each slice along an axis `(i, j, k)`, or in the whole grid as one."""
    if axis is None:
        return np.array([np.count_nonzero(stored)])
    cut = {0: 1, 1: 2, 2: 0}[axis]
    return np.asarray(stored.sum(axis=tuple(other for other in range(3) if other != cut)))
