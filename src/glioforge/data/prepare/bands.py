"""Bands of intensity in place of tissue classes: normal brain cut at 1/4, 1/2 and 3/4 of the largest value.

After Carver et al. (section on the augmentation network).  They do not say of
which contrast and of which largest value; here it is one contrast for all, so
that the contrasts of a case share one map, and the 99.5th percentile of its
normal brain, so that no vessel decides.  Such a map copies the patient's own
intensities: whoever gets it learns more than from tissue classes.
"""

from typing import Literal, final

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from glioforge.config import Spec
from glioforge.core import CARVER_BRAINMAP, Mask, Modality, Voxels

_FIRST = CARVER_BRAINMAP.value("quarter_1")


@final
class BandsSpec(Spec):
    """Four bands of intensity."""

    kind: Literal["bands"] = "bands"
    reference: Modality = Modality.T1
    """Contrast that is cut into bands; the first contrast kept where a cohort lacks it."""
    percentile: float = Field(99.5, gt=0, le=100)
    """Percentile of normal brain that counts as the largest value."""


def band_labels(
    voxels: Voxels, labels: UInt8[np.ndarray, "i j k"], brain: Mask, spec: BandsSpec | None = None
) -> UInt8[np.ndarray, "i j k"]:
    """Fill unlabelled brain voxels with their band; an empty brain gives an empty map.

    Args:
        voxels: Reference contrast, in units in which 0 means no signal; where it goes below 0, its least
            value takes the place of 0.
        labels: Tumour labels; they stay.
        brain: Brain mask; the result is 0 exactly outside it.
        spec: Defaults unless given.

    Example:
        >>> image = np.array([1.0, 3.0, 5.0, 8.0], dtype=np.float32).reshape(4, 1, 1)
        >>> spec = BandsSpec(percentile=100)
        >>> band_labels(image, np.zeros((4, 1, 1), np.uint8), np.ones((4, 1, 1), bool), spec).ravel().tolist()
        [4, 5, 6, 7]
    """
    spec = spec or BandsSpec()
    result = np.where(brain, labels, 0).astype(np.uint8)
    normal = brain & (result == 0)
    if normal.any():
        values = voxels[normal].astype(np.float64)
        values = values - min(float(values.min()), 0.0)
        largest = float(np.percentile(values, spec.percentile))
        bands = np.searchsorted(largest * np.array([0.25, 0.5, 0.75]), values, side="right")
        result[normal] = (_FIRST + bands).astype(np.uint8)
    return result
