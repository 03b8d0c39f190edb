"""Where CSF, grey and white matter lie in the average brain, stretched over a brain's mask.

The maps are ICBM 2009a's, within nilearn (Fonov et al. 2011, NeuroImage 54(1),
313-327).  Mean and spread of both brain masks along each axis are brought
together, which needs no registration and no other patient.
"""

from functools import lru_cache
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float32
from pydantic import Field
from scipy import ndimage

from glioforge.config.spec import Spec
from glioforge.core.volume import Mask

_FLOOR = 0.03


@final
class PriorSpec(Spec):
    """The mixture of kind `mixture`, started from and weighed by an average brain."""

    kind: Literal["atlas"] = "atlas"
    weight: float = Field(0.5, ge=0, le=1)
    """Weight of the average brain's log probabilities; 0 only starts the fit there."""
    field_order: int = Field(3, ge=0, le=4)
    """Order of the bias polynomial; 0 for none."""
    rounds: int = Field(25, ge=1)
    """Rounds of the fit."""
    smoothness: float = Field(0.25, ge=0)
    """Log odds that a voxel gains for each neighbour of the same class; 0 for none."""
    smoothing_rounds: int = Field(4, ge=0)
    """Rounds in which neighbours are made to agree."""
    least_mm3: float = Field(40.0, ge=0)
    """Connected specks smaller than this go to the class around them."""
    samples: int = Field(40_000, ge=1000)
    """Voxels that the fit looks at, evenly spread."""


def prior_maps(brain: Mask) -> Float32[np.ndarray, "3 i j k"]:
    """Probability of CSF, grey and white matter in each voxel, at least 0.03 each; they sum to 1.

    Args:
        brain: Brain mask on a RAS grid, not empty; its voxel size does not matter.
    """
    maps, mask = _average_brain()
    scale, shift = [], []
    for axis in range(3):
        (own_middle, own_spread), (middle, spread) = _moments(brain, axis), _moments(mask, axis)
        scale.append(spread / max(own_spread, 0.5))
        shift.append(middle - scale[-1] * own_middle)
    moved = [ndimage.affine_transform(m, np.array(scale), shift, brain.shape, order=1) for m in maps]
    raised = np.stack(moved).astype(np.float32) + np.float32(_FLOOR)
    return np.asarray(raised / raised.sum(axis=0))


def _moments(mask: Bool[np.ndarray, "x y z"], axis: int) -> tuple[float, float]:
    """Mean and standard deviation of a mask's voxel indices along an axis."""
    counts = mask.sum(axis=tuple(a for a in range(3) if a != axis)).astype(np.float64)
    places = np.arange(len(counts))
    middle = float((counts * places).sum() / counts.sum())
    return middle, float(np.sqrt((counts * (places - middle) ** 2).sum() / counts.sum()))


@lru_cache(maxsize=1)
def _average_brain() -> tuple[Float32[np.ndarray, "3 x y z"], Bool[np.ndarray, "x y z"]]:
    """Maps of CSF, grey and white matter at 2 mm in RAS, and the brain's mask."""
    from nilearn import datasets

    grey = np.asarray(datasets.load_mni152_gm_template(resolution=2).dataobj, dtype=np.float32)
    white = np.asarray(datasets.load_mni152_wm_template(resolution=2).dataobj, dtype=np.float32)
    mask = np.asarray(datasets.load_mni152_brain_mask(resolution=2).dataobj) > 0
    fluid = np.clip(mask - grey - white, 0, 1)
    return np.stack([fluid, grey, white]), mask
