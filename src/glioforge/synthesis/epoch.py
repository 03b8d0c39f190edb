"""How many steps pass over the training slices once, for settings that published work gives in epochs."""

import numpy as np

from glioforge.core.cohort import Cohort
from glioforge.data.store import read_packed


def steps_of_an_epoch(cohort: Cohort, batch_size: int, *, axis: int | None, lesions_only: bool = False) -> int:
    """Steps that draw as many slices as the cohort has with brain; at least 1.

    Args:
        cohort: Training cases.
        batch_size: Slices in a step.
        axis: Axis that slices are cut along; none counts every case once, for patches and volumes.
        lesions_only: Count only slices with tumour, unless there are none.
    """
    values = list(cohort.scheme.lesion_values)
    brain = lesion = 0
    for ref in cohort:
        labels = read_packed(ref).labels
        if labels is not None:
            stored = np.moveaxis(labels, 0, 2)
            brain += _slices(stored > 0, axis)
            lesion += _slices(np.isin(stored, values), axis)
    counted = lesion if lesions_only and lesion else brain
    return max(1, -(-counted // batch_size))


def _slices(mask: np.ndarray, axis: int | None) -> int:
    """Slices along an axis that the mask touches, or whether it touches any."""
    if axis is None:
        return int(mask.any())
    return int(mask.any(axis=tuple(other for other in range(3) if other != axis)).sum())
