"""Batches of slices - images, labels, brain - from cohorts in memory or in the store.

A batch is a function of a seed and a step and of nothing else, so a training
that goes on after a stop sees the batches that it would have seen.

Conventions
-----------
images   float32 `(b, channel, x, y)`; with `context` n the channels of the n slices below, of the slice
         itself and of the n above, in this order; a missing neighbour is the nearest slice there is
labels   int64 `(b, x, y)` in the cohort's scheme
brain    bool `(b, x, y)`
case     int64 `(b,)`, place of the case in the cohort
available bool `(b, channel)`, with `gaps` only: which contrasts the case has; the others are 0
axis     axis cut; x and y are the two others in their order
size     x and y are cut or padded about their centre, images and labels with 0
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, final

import numpy as np

from glioforge.core import CaseRef, Cohort, CohortError, LabelScheme, Modality, stream
from glioforge.data.packed import Packed
from glioforge.data.sampling import Batches, Row, Source, fits_in_memory, lesion_table, slab_around, whole
from glioforge.data.slices import Cut, Slices, Stack, StoredSlices, slices_of
from glioforge.data.store import is_stored, read_packed

if TYPE_CHECKING:
    import torch

__all__ = ["LESION_SHARE", "Batches", "MixedPairs", "SlicePairs"]

LESION_SHARE = 0.5
"""Share of a batch that is drawn from slices with tumour, where nothing else is said."""


@final
class SlicePairs:
    """Batches of slices of one cohort.

    Args:
        cohort: Prepared, phantom or synthetic cases, all of one grid shape unless `size` is given; each is read
            once at the start.
        modalities: Contrasts to give, in this order; none for labels alone.
        axis: Axis cut, 0-2.
        size: Common size `(x, y)` of the slices; the grid's own unless given.
        batch_size: Slices in a batch, at least 1.
        seed: Seed of the draws.
        context: Neighbouring slices on each side that are added as channels.
        lesion_share: Share of each batch drawn from slices with tumour; the rest is drawn from all slices with brain.
        gaps: Whether cases may lack some of the contrasts.
        slab: Draw only from this many slices around each case's tumour, as Carver et al. train; none draws from all.
        in_memory: Whether cases are held in memory, or slices of stored cases read when they are drawn; what the
            machine has room for unless given. Batches are the same.

    Raises:
        CohortError: The cohort is empty, a case lacks a contrast or labels, sizes differ, or a number is out of range.
    """

    def __init__(  # noqa: PLR0913 - the settings of a sampler
        self,
        cohort: Cohort,
        modalities: Sequence[Modality],
        *,
        axis: int = 2,
        size: tuple[int, int] | None = None,
        batch_size: int,
        seed: int,
        context: int = 0,
        lesion_share: float = LESION_SHARE,
        gaps: bool = False,
        slab: int | None = None,
        in_memory: bool | None = None,
    ) -> None:
        if not len(cohort):
            raise CohortError("no cases to take slices from", "at least one", "prepare a cohort first", cohort.name)
        if batch_size < 1 or context < 0 or not 0 <= lesion_share <= 1 or axis not in (0, 1, 2):
            raise CohortError(
                f"batch size {batch_size}, context {context}, lesion share {lesion_share}, axis {axis}",
                "at least 1, at least 0, a number in [0, 1], and 0, 1 or 2",
                where=cohort.name,
            )
        self.batch_size = batch_size
        self.modalities = tuple(modalities)
        self.scheme = cohort.scheme
        self._seed = seed
        self._context = context
        self._share = lesion_share
        self._gaps = gaps
        cut = Cut(self.modalities, axis, size, gaps)
        held = fits_in_memory(cohort) if in_memory is None else in_memory
        self._stacks: list[Stack] = []
        self._cut, self._slab, self._refs = cut, slab, cohort.cases
        self._found = [self._add(ref, cut, slab, held=held) for ref in cohort]
        self._slices = _Slices.of(self._found)
        self._require_one_size(cohort)

    @property
    def length(self) -> int:
        """Number of slices with brain that are drawn from, over all cases."""
        return len(self._slices.brain)

    @property
    def size(self) -> tuple[int, int]:
        """Size `(x, y)` of every slice."""
        return self._stacks[0].size

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self._stacks)

    @property
    def samples(self) -> float:
        """Slices with brain that a case has, on average."""
        return self.length / len(self._stacks)

    def first(self, place: int) -> tuple[Packed, str]:
        """The case of the cohort at a place, and its id."""
        return read_packed(self._refs[place]), self._refs[place].case_id

    def swap(self, place: int, packed: Packed, case_id: str) -> None:
        """Put another case in the place of one; it is held in memory.

        Args:
            place: Place of the case in the cohort.
            packed: The other case, with the same contrasts and scheme.
            case_id: For messages.

        Raises:
            CohortError: It lacks a contrast or labels, or its slices have another size.
        """
        slices = slices_of(packed, self._cut, case_id)
        if slices.size != self.size:
            raise CohortError(f"slices of size {slices.size}", f"size {self.size}", "make cases alike", case_id)
        self._stacks[place] = slices
        self._found[place] = _rows_of(slices, place, self.scheme, self._slab)
        self._slices = _Slices.of(self._found)

    def batch(self, step: int) -> "dict[str, torch.Tensor]":
        """The batch of this step."""
        return self.take(self.draw(step))

    def draw(self, step: int) -> list[tuple[int, int]]:
        """Case and slice number of each member of this step's batch."""
        rng = stream(self._seed, "pairs", step)
        with_tumour = whole(self.batch_size * self._share, rng) if len(self._slices.lesion) else 0
        # The rest comes from all slices with brain, with tumour too: the share is a floor, not a split.
        chosen = [self._slices.lesion] * with_tumour + [self._slices.brain] * (self.batch_size - with_tumour)
        rows = [candidates[int(rng.integers(len(candidates)))] for candidates in chosen]
        return [(int(case), int(number)) for case, number in rows]

    def take(self, rows: Sequence[tuple[int, int]]) -> "dict[str, torch.Tensor]":
        """Slices by case and slice number, as a batch; no rows give tensors of length 0."""
        import torch

        x, y = self.size
        planes = 2 * self._context + 1
        images = np.empty((len(rows), planes * len(self.modalities), x, y), dtype=np.float32)
        labels = np.empty((len(rows), x, y), dtype=np.int64)
        brain = np.empty((len(rows), x, y), dtype=bool)
        for place, (case, number) in enumerate(rows):
            stack = self._stacks[case]
            # At the ends of the stack the last slice stands in for the neighbours that are not there.
            around = np.clip(np.arange(number - self._context, number + self._context + 1), 0, stack.depth - 1)
            read = stack.read(around)
            np.multiply(read.images, read.scales, out=images[place].reshape(planes, -1, x, y))
            labels[place] = read.labels[self._context]
            brain[place] = read.brain[self._context]
        cases = np.array([case for case, _ in rows], dtype=np.int64)
        arrays = {"images": images, "labels": labels, "brain": brain, "case": cases}
        if self._gaps:
            known = [self._stacks[case].scales[:, 0, 0] > 0 for case, _ in rows]
            arrays["available"] = np.array(known, dtype=bool).reshape(len(rows), len(self.modalities))
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _add(self, ref: CaseRef, cut: Cut, slab: int | None, *, held: bool) -> tuple[np.ndarray, np.ndarray]:
        """Add a case, and return case and number of its slices with brain and of those with tumour, in the slab."""
        slices = slices_of(read_packed(ref), cut, ref.case_id)
        rows = _rows_of(slices, len(self._stacks), self.scheme, slab)
        self._stacks.append(slices if held or not is_stored(ref) else StoredSlices.of(ref, cut, slices))
        return rows

    def _require_one_size(self, cohort: Cohort) -> None:
        sizes = {stack.size for stack in self._stacks}
        if len(sizes) > 1:
            raise CohortError(
                f"slices of sizes {sorted(sizes)}", "one size", "give a size, or prepare the cases alike", cohort.name
            )
        if not len(self._slices.brain):
            raise CohortError("no slice with brain", "at least one", "check the brain masks", cohort.name)


@final
class MixedPairs(Generic[Row]):
    """Batches of two cohorts - slices or patches -, a stated share of each batch from the second.

    Where the share does not fit a whole number of samples, it holds on average
    over the steps.

    Args:
        real: First source.
        synthetic: Second source, of the same contrasts, size and batch size.
        share: Share of the samples that come from `synthetic`, in [0, 1].
        seed: Seed of the rounding and of the order within a batch.
        until: Step from which on all samples come from `real`; none for never.

    Raises:
        CohortError: The sources do not fit each other or the share is out of range.
    """

    def __init__(
        self, real: Source[Row], synthetic: Source[Row], share: float, *, seed: int = 0, until: int | None = None
    ) -> None:
        ours, theirs = ((p.modalities, p.size, p.batch_size, p.scheme.name) for p in (real, synthetic))
        if ours != theirs:
            raise CohortError(f"sources {ours} and {theirs}", "the same contrasts, size, batch size and scheme")
        if not 0 <= share <= 1:
            raise CohortError(f"share {share}", "a number in [0, 1]")
        self.batch_size = real.batch_size
        self.real = real
        self.synthetic = synthetic
        self.share = share
        self._seed = seed
        self._until = until

    def batch(self, step: int) -> "dict[str, torch.Tensor]":
        """The batch of this step; `synthetic` (bool) tells where each sample comes from."""
        import torch

        rng = stream(self._seed, "mix", step)
        mixed = self._until is None or step < self._until
        count = whole(self.batch_size * self.share, rng) if mixed else 0
        parts = [
            self.real.take(_spread(self.real.draw(step), self.batch_size - count, rng)),
            self.synthetic.take(_spread(self.synthetic.draw(step), count, rng)),
        ]
        parts[0]["synthetic"] = torch.zeros(self.batch_size - count, dtype=torch.bool)
        parts[1]["synthetic"] = torch.ones(count, dtype=torch.bool)
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@final
@dataclass(frozen=True, eq=False)
class _Slices:
    """Pairs of case and slice number: all with brain, and those with tumour."""

    brain: np.ndarray
    lesion: np.ndarray

    @classmethod
    def of(cls, found: Sequence[tuple[np.ndarray, np.ndarray]]) -> "_Slices":
        """Those of all cases; at least one case."""
        return cls(*(np.concatenate(numbers) for numbers in zip(*found, strict=True)))


def _rows_of(slices: Slices, case: int, scheme: LabelScheme, slab: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Case and number of the slices with brain and of those with tumour, within the slab."""
    tumour = lesion_table(scheme)[slices.labels].sum(axis=(1, 2))
    within = slab_around(tumour, slices.brain.sum(axis=(1, 2)), slab)
    shown = np.flatnonzero(tumour) if slab is None else within[tumour[within] > 0]
    brain, lesion = (np.stack([np.full(len(found), case), found], axis=1) for found in (within, shown))
    return brain, lesion


def _spread(rows: list[Row], count: int, rng: np.random.Generator) -> list[Row]:
    """`count` of the rows at random, so that samples with and without tumour keep their shares."""
    # Sorted, because rows with tumour come first in a draw and samplers may count on that order.
    return [rows[int(n)] for n in np.sort(rng.permutation(len(rows))[:count])]
