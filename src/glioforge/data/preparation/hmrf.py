"""Normal tissue by a hidden Markov random field, as FSL's FAST does it, through DIPY.

Zhang, Brady and Smith 2001 (IEEE Trans. Med. Imaging 20(1), 45-57), the method
behind the tissue of Foroozandeh and Eklund.  Labelled tumour is left out
before the fit, so that oedema does not pass for grey matter or fluid.  The
field looks at one image: the contrasts added up so that fluid is dark and
white matter bright.  Its wide class of fluid takes most voxels in which fluid
and cortex mix; they are therefore given to the class that fills at least half
of them, as voxels deep inside each class, which are pure, show it in all
contrasts (FAST's partial volumes, cut at a half).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, final

import numpy as np
from jaxtyping import Float, Float64, UInt8
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import CaseError, DependencyError, Mask, Modality

_BRIGHTNESS: Mapping[Modality, float] = {Modality.T1: 1.0, Modality.T1CE: 0.5, Modality.T2: -1.0}
"""Weight of each contrast in which CSF, grey and white matter follow each other in brightness.

T1ce counts half: vessels and whatever else takes up the agent are no tissue.
"""

_LEAST_PURE = 20
_RIDGE = 1e-3
_CLASSES = 3
_Values = Float[np.ndarray, "i j k"]


@final
class HmrfSpec(Spec):
    """Three classes, neighbours that agree."""

    kind: Literal["hmrf"] = "hmrf"
    contrast: Modality | None = None
    """T1, T1ce or T2, to look at it alone; none looks at all contrasts together."""
    beta: float = Field(0.1, ge=0, le=2)
    """Pull of the neighbours."""
    rounds: int = Field(30, ge=1)
    """Most rounds of the fit."""
    partial_volume: bool = True
    """Give mixed voxels to the class that fills at least half of them; otherwise the field's own borders stay."""


def hmrf_classes(images: Mapping[Modality, _Values], normal: Mask, spec: HmrfSpec) -> UInt8[np.ndarray, "i j k"]:
    """Class of each voxel: 0 CSF, 1 grey matter, 2 white matter; 0 outside `normal`.

    Args:
        images: Contrasts in robust units: the median of normal brain is 0, its spread 1.
        normal: Brain without tumour, not empty.
        spec: How.

    Raises:
        CaseError: No contrast tells the three apart by order of brightness.
        DependencyError: DIPY is not installed.
    """
    usable = [m for m in _BRIGHTNESS if m in images and spec.contrast in (None, m)]
    if not usable:
        raise CaseError(
            f"contrasts {[str(m) for m in images]} for tissue of kind 'hmrf'",
            f"one of {[str(m) for m in _BRIGHTNESS if spec.contrast in (None, m)] or [str(m) for m in _BRIGHTNESS]}",
            "keep such a contrast, or take tissue of kind 'mixture'",
        )
    bright = np.sum([_BRIGHTNESS[m] * images[m] for m in usable], axis=0)
    classes = _field(bright, normal, spec)
    if spec.partial_volume:
        seen = usable if spec.contrast else list(images)
        classes = _by_pure_voxels(np.stack([images[m] for m in seen]).astype(np.float64), classes, normal)
    return np.where(normal, classes, 0).astype(np.uint8)


def _field(image: _Values, normal: Mask, spec: HmrfSpec) -> UInt8[np.ndarray, "i j k"]:
    """Classes from dark to bright by DIPY's field; whatever it takes for background goes to the darkest."""
    try:
        from dipy.segment.tissue import TissueClassifierHMRF
    except ImportError as error:
        raise DependencyError(
            "tissue of kind 'hmrf' needs DIPY, which is not installed",
            remedy="pip install 'glioforge[tissue]', or take tissue of kind 'mixture'",
        ) from error
    low, high = np.percentile(image[normal], [0.5, 99.5])
    scaled = np.where(normal, 1 + 99 * (np.clip(image, low, high) - low) / max(high - low, 1e-9), 0)
    with np.errstate(all="ignore"), _same_noise():
        _, found, _ = TissueClassifierHMRF(verbose=False).classify(scaled, _CLASSES, spec.beta, max_iter=spec.rounds)
    return np.clip(np.asarray(found, dtype=np.intp) - 1, 0, _CLASSES - 1).astype(np.uint8)


def _by_pure_voxels(
    values: Float64[np.ndarray, "c i j k"], classes: UInt8[np.ndarray, "i j k"], normal: Mask
) -> UInt8[np.ndarray, "i j k"]:
    """Classes by the nearest of the pure classes' medians, in units of the noise that they share.

    Half-way between two medians a voxel is filled by both alike.  Classes
    without pure voxels take all of theirs; where a class is empty nothing changes.
    """
    medians, residuals = [], []
    for number in range(_CLASSES):
        own = normal & (classes == number)
        pure = ndimage.binary_erosion(own)
        chosen = values[:, pure if np.count_nonzero(pure) >= _LEAST_PURE else own]
        if not chosen.shape[1]:
            return classes
        medians.append(np.median(chosen, axis=1))
        residuals.append(chosen - medians[-1][:, None])
    spread = np.concatenate(residuals, axis=1)
    noise = spread @ spread.T / spread.shape[1] + _RIDGE * np.eye(len(values))
    root = np.linalg.cholesky(noise)
    white = np.linalg.solve(root, values[:, normal])
    centres = [np.linalg.solve(root, median)[:, None] for median in medians]
    result = classes.copy()
    result[normal] = np.argmin([((white - centre) ** 2).sum(axis=0) for centre in centres], axis=0)
    return result


@contextmanager
def _same_noise() -> Iterator[None]:
    """The same random numbers each time for DIPY, which draws its background from numpy's global generator."""
    state = np.random.get_state()  # noqa: NPY002 - the generator that DIPY uses
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
