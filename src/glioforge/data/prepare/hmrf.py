"""Normal tissue by a hidden Markov random field on one contrast, as FSL's FAST does it, through DIPY.

Zhang, Brady and Smith 2001 (IEEE Trans. Med. Imaging 20(1), 45-57), the method
behind the tissue of Foroozandeh and Eklund.  Labelled tumour is left out
before the fit, so that oedema does not pass for grey matter or fluid.
"""

from collections.abc import Mapping
from typing import Literal, final

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from glioforge.config.spec import Spec
from glioforge.core.errors import CaseError, DependencyError
from glioforge.core.modality import Modality
from glioforge.core.volume import Mask, Voxels

_FROM_DARK: Mapping[Modality, tuple[int, int, int]] = {
    Modality.T1: (0, 1, 2),
    Modality.T1CE: (0, 1, 2),
    Modality.T2: (2, 1, 0),
}
"""Class (0 CSF, 1 grey matter, 2 white matter) of the darkest, middle and brightest voxels."""


@final
class HmrfSpec(Spec):
    """One contrast, three classes, neighbours that agree."""

    kind: Literal["hmrf"] = "hmrf"
    contrast: Modality | None = None
    """T1, T1ce or T2; none takes the first of them that there is."""
    beta: float = Field(0.1, ge=0, le=2)
    """Pull of the neighbours."""
    rounds: int = Field(30, ge=1)
    """Most rounds of the fit."""


def hmrf_classes(images: Mapping[Modality, Voxels], normal: Mask, spec: HmrfSpec) -> UInt8[np.ndarray, "i j k"]:
    """Class of each voxel: 0 CSF, 1 grey matter, 2 white matter; 0 outside `normal`.

    Args:
        images: Contrasts; one is looked at.
        normal: Brain without tumour, not empty.
        spec: How.

    Raises:
        CaseError: No contrast tells the three apart by order of brightness.
        DependencyError: DIPY is not installed.
    """
    wanted = _FROM_DARK if spec.contrast is None else (spec.contrast,)
    usable = [m for m in wanted if m in images and m in _FROM_DARK]
    if not usable:
        raise CaseError(
            f"contrasts {[str(m) for m in images]} for tissue of kind 'hmrf'",
            f"one of {[str(m) for m in wanted if m in _FROM_DARK] or [str(m) for m in _FROM_DARK]}",
            "keep such a contrast, or take tissue of kind 'mixture'",
        )
    try:
        from dipy.segment.tissue import TissueClassifierHMRF
    except ImportError as error:
        raise DependencyError(
            "tissue of kind 'hmrf' needs DIPY, which is not installed",
            remedy="pip install 'glioforge[tissue]', or take tissue of kind 'mixture'",
        ) from error
    voxels = images[usable[0]].astype(np.float64)
    low, high = np.percentile(voxels[normal], [0.5, 99.5])
    scaled = np.where(normal, 1 + 99 * (np.clip(voxels, low, high) - low) / max(high - low, 1e-9), 0)
    with np.errstate(all="ignore"):
        _, found, _ = TissueClassifierHMRF(verbose=False).classify(scaled, 3, spec.beta, max_iter=spec.rounds)
    order = np.array(_FROM_DARK[usable[0]], dtype=np.uint8)
    return np.where(normal, order[np.clip(np.asarray(found, dtype=np.intp) - 1, 0, 2)], 0).astype(np.uint8)
