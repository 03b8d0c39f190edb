"""How many steps pass over the training slices once, for lengths that published work gives in epochs."""

from collections.abc import Iterable

import numpy as np

from glioforge.core import Cohort
from glioforge.data.sampling import slab_around
from glioforge.data.store import read_packed


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
