"""What edits of the brain's label map share: they change the anatomy, and a lesion moves with it.

Shin et al. 2018 (arXiv:1807.10225) alter "either the tumour label or the brain
label" and leave open how; the edits and their magnitudes are Glioforge's own.
Such an edit has no lesion to choose, to fill or to place, and its record holds
its own parameters alone.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap, LabelVoxels
from glioforge.core.protocols import EditRecord

_HALVINGS = 6


def sampled_at(voxels: LabelVoxels, vectors: Float64[np.ndarray, "3 i j k"]) -> LabelVoxels:
    """Take every voxel's label from the voxel nearest to its source.

    Args:
        voxels: Labels.
        vectors: `source - voxel` in voxels; a source outside the grid is moved to its border.
    """
    indices = np.meshgrid(*(np.arange(n) for n in voxels.shape), indexing="ij", sparse=True)
    sources = (
        np.clip(np.rint(index + way), 0, n - 1).astype(np.intp)
        for index, way, n in zip(indices, vectors, voxels.shape, strict=True)
    )
    return np.asarray(voxels[tuple(sources)])


def weakened(
    labels: LabelMap, apply: Callable[[LabelMap, EditRecord], LabelMap], record_of: Callable[[float], EditRecord]
) -> EditRecord:
    """Return the strongest of an edit's records, each half as strong as the last, that keeps every class of the map.

    Args:
        labels: The map to edit.
        apply: Applies a record.
        record_of: Makes a record of a share of the drawn strength.

    Raises:
        EditError: A class vanishes even at a sixty-fourth of the strength.
    """
    classes = set(np.unique(labels.voxels).tolist())
    for number in range(_HALVINGS + 1):
        record = record_of(0.5**number)
        if classes <= set(np.unique(apply(labels, record).voxels).tolist()):
            return record
    raise EditError(f"edit {record.kind!r} that loses a class of the map", "all classes", "leave the case out")
