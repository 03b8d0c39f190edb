"""Normal tissue for label maps that know only the tumour (placeholder fit, refined below)."""

from collections.abc import Mapping
from typing import final

import numpy as np
from jaxtyping import UInt8

from glioforge.config.spec import Spec
from glioforge.core.modality import Modality
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Mask, Voxels


@final
class TissueSpec(Spec):
    """How normal tissue is told apart."""

    smoothness: float = 0.6
    """Weight of a voxel's neighbours."""


def complete_labels(
    images: Mapping[Modality, Voxels],
    labels: UInt8[np.ndarray, "i j k"],
    brain: Mask,
    spacing: tuple[float, float, float],
    spec: TissueSpec | None = None,
) -> UInt8[np.ndarray, "i j k"]:
    """Fill unlabelled brain voxels with white matter, grey matter or CSF."""
    empty = brain & (labels == 0)
    result = np.where(brain, labels, 0).astype(np.uint8)
    guide = next((images[m] for m in (Modality.T1, Modality.T1CE, Modality.FLAIR) if m in images), None)
    if guide is None:
        raise NotImplementedError
    low, high = np.quantile(guide[empty], [0.15, 0.55])
    values = np.where(guide < low, COMPLETE.value("csf"), np.where(guide < high, COMPLETE.value("grey_matter"), COMPLETE.value("white_matter")))
    result[empty] = values[empty].astype(np.uint8)
    return result
