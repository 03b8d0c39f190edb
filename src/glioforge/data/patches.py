"""Batches of three-dimensional patches - images, labels, brain - from cohorts in memory or in the store.

The counterpart of `data.pairs` for volumes: a batch is a function of a seed and
a step and of nothing else.  A share of the patches is centred near a random
tumour voxel (nnU-Net, Isensee et al. 2021, takes a third), the rest about a random
voxel of the brain; cases count alike whatever the size of their tumour.

Conventions
-----------
images   float32 `(b, channel, x, y, z)`
labels   int64 `(b, x, y, z)` in the cohort's scheme
brain    bool `(b, x, y, z)`
case     int64 `(b,)`, place of the case in the cohort
available bool `(b, channel)`, with `gaps` only: which contrasts the case has; the others are 0
corner   int64 `(b, 3)`, first voxel of the patch in the case's own grid; where the grid is smaller
         than the patch it is negative, and the patch is padded with 0 on both sides
axes     x, y, z are the axes i, j, k of the case
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np

from glioforge.core import Cohort, CohortError, Index, Modality, stream
from glioforge.data.packed import Packed
from glioforge.data.patch_grid import grid_around, grid_of, held_voxels
from glioforge.data.sampling import fits_in_memory, lesion_table, whole
from glioforge.data.store import is_stored, read_packed

if TYPE_CHECKING:
    import torch

LESION_SHARE = 0.33
"""Share of a batch that is centred near tumour, where nothing else is said."""


@final
class PatchPairs:
    """Batches of patches of one cohort.

    Args:
        cohort: Prepared, phantom or synthetic cases, whose grids may differ; each is read once at the start.
        modalities: Contrasts to give, in this order; none for labels alone.
        size: Patch `(x, y, z)`; whole grids, padded to the largest, where none is given.
        batch_size: Patches in a batch, at least 1.
        seed: Seed of the draws.
        lesion_share: Share of each batch that is centred near a tumour voxel, where the cohort has any.
        gaps: Whether cases may lack some of the contrasts.
        in_memory: Whether cases are held in memory, or patches of stored cases read when they are drawn; what the
            machine has room for unless given. Batches are the same.

    Raises:
        CohortError: The cohort is empty, a case lacks a contrast or labels, none shows brain, or a number is out of
            range.
    """

    def __init__(  # noqa: PLR0913 - the settings of a sampler
        self,
        cohort: Cohort,
        modalities: Sequence[Modality],
        *,
        size: tuple[int, int, int] | None,
        batch_size: int,
        seed: int,
        lesion_share: float = LESION_SHARE,
        gaps: bool = False,
        in_memory: bool | None = None,
    ) -> None:
        if not len(cohort):
            raise CohortError("no cases to take patches from", "at least one", "prepare a cohort first", cohort.name)
        if batch_size < 1 or not 0 <= lesion_share <= 1 or min(size or (1,)) < 1:
            raise CohortError(
                f"batch size {batch_size}, lesion share {lesion_share}, patch {size}",
                "at least 1, a number in [0, 1], and at least one voxel along each axis",
                where=cohort.name,
            )
        self.batch_size = batch_size
        self.modalities = tuple(modalities)
        self.scheme = cohort.scheme
        self._seed = seed
        self._share = lesion_share
        table = lesion_table(cohort.scheme)
        self._gaps = gaps
        held = fits_in_memory(cohort) if in_memory is None else in_memory
        self._table, self._refs = table, cohort.cases
        self._grids = [
            grid_of(ref, self.modalities, table, gaps=gaps, held=held or not is_stored(ref)) for ref in cohort
        ]
        self._size = size or _largest([grid.shape for grid in self._grids])
        self._find()
        if not self._with_brain:
            raise CohortError("no case with brain", "at least one", "check the brain masks", cohort.name)

    @property
    def length(self) -> int:
        """Number of cases with brain."""
        return len(self._with_brain)

    @property
    def size(self) -> tuple[int, int, int]:
        """Size `(x, y, z)` of every patch."""
        return self._size

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self._grids)

    @property
    def samples(self) -> float:
        """Patches that the brain of a case fills, on average; at least 1."""
        voxels = np.mean([grid.brain_places.count for grid in self._grids])
        return max(1.0, float(voxels) / float(np.prod(self._size)))

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
            CohortError: It lacks a contrast or labels.
        """
        voxels, scales = held_voxels(packed, self.modalities, case_id, gaps=self._gaps)
        self._grids[place] = grid_around(voxels, scales, voxels, self._table)
        self._find()

    def batch(self, step: int) -> "dict[str, torch.Tensor]":
        """The batch of this step."""
        return self.take(self.draw(step))

    def draw(self, step: int) -> list[tuple[int, Index]]:
        """Case and corner of each member of this step's batch; those near tumour come first."""
        rng = stream(self._seed, "patches", step)
        near = whole(self.batch_size * self._share, rng) if self._with_lesion else 0
        return [self._row(rng, lesion=place < near) for place in range(self.batch_size)]

    def take(self, rows: Sequence[tuple[int, Index]]) -> "dict[str, torch.Tensor]":
        """Patches by case and corner, as a batch; no rows give tensors of length 0.

        A corner may be any, also one at which the patch reaches beyond the grid.
        """
        import torch

        images = np.zeros((len(rows), len(self.modalities), *self._size), dtype=np.float32)
        labels = np.zeros((len(rows), *self._size), dtype=np.int64)
        brain = np.zeros((len(rows), *self._size), dtype=bool)
        for place, (case, corner) in enumerate(rows):
            grid = self._grids[case]
            (i, j, k), (x, y, z) = _overlap(grid.shape, corner, self._size)
            read = grid.voxels.box(i, j, k)
            np.multiply(read.images.transpose(1, 2, 3, 0), grid.scales, out=images[place, :, x, y, z])
            labels[place, x, y, z] = read.labels.transpose(1, 2, 0)
            brain[place, x, y, z] = read.brain.transpose(1, 2, 0)
        arrays = {
            "images": images,
            "labels": labels,
            "brain": brain,
            "case": np.array([case for case, _ in rows], dtype=np.int64),
            "corner": np.array([corner for _, corner in rows], dtype=np.int64).reshape(-1, 3),
        }
        if self._gaps:
            known = [self._grids[case].scales[:, 0, 0, 0] > 0 for case, _ in rows]
            arrays["available"] = np.array(known, dtype=bool).reshape(len(rows), len(self.modalities))
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _find(self) -> None:
        """Note which cases have brain, and which tumour."""
        self._with_brain = [n for n, grid in enumerate(self._grids) if grid.brain_places.count]
        self._with_lesion = [n for n in self._with_brain if self._grids[n].lesion_places.count]

    def _row(self, rng: np.random.Generator, *, lesion: bool) -> tuple[int, Index]:
        """One case, and the corner of a patch about one of its voxels."""
        cases = self._with_lesion if lesion else self._with_brain
        case = cases[int(rng.integers(len(cases)))]
        grid = self._grids[case]
        centre = grid.lesion_at(rng) if lesion else grid.brain_at(rng)
        i, j, k = (_start(have, want, at, rng) for have, want, at in zip(grid.shape, self._size, centre, strict=True))
        return case, (i, j, k)


def _largest(shapes: Sequence[Index]) -> Index:
    """The smallest grid that holds all of these."""
    i, j, k = (max(sizes) for sizes in zip(*shapes, strict=True))
    return i, j, k


def _start(have: int, want: int, at: int, rng: np.random.Generator) -> int:
    """First voxel of a patch of `want` voxels about `at`, up to a quarter of it aside, inside a grid of `have`.

    A grid that is not larger than the patch lies in its middle, so that `data.pairs`' cut undoes the padding.
    """
    aside = int(rng.integers(-(want // 4), want // 4 + 1))
    if have <= want:
        return have // 2 - want // 2
    return min(max(at + aside - want // 2, 0), have - want)


def _overlap(shape: Index, corner: Index, size: Index) -> tuple[list[slice], list[slice]]:
    """Where a patch lies in the grid, and where that lies in the patch; empty where they do not meet."""
    source, target = [], []
    for have, first, want in zip(shape, corner, size, strict=True):
        low, high = max(first, 0), min(first + want, have)
        low = min(low, max(high, 0))
        source.append(slice(low, max(high, low)))
        target.append(slice(low - first, max(high, low) - first))
    return source, target
