"""The average brain as probability maps of tissue: cortex, deep grey matter and white matter, in MNI152 millimetres.

The maps are ICBM 2009a's, within nilearn (Fonov et al. 2011, NeuroImage 54(1),
313-327), read at 2 mm; nothing is downloaded.  Deep grey matter is the grey
matter of a box around thalamus and basal ganglia; the cerebellum is what lies
below a plane through the tentorium and behind the pons.  Both bounds are read
off the maps.  What is neither grey nor white matter counts as fluid, outside
the brain as well.

`prior_maps` stretches the maps over a brain's mask: mean and spread of both
brain masks along each axis are brought together, which needs no registration
and no other patient.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float32, Float64
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import Mask

Maps = Float32[np.ndarray, "m x y z"]
Points = Float64[np.ndarray, "3 n"]

_DEEP_LOW, _DEEP_HIGH = (-35.0, -34.0, -10.0), (35.0, 24.0, 21.0)
_MIDLINE_MM = 2.0
_BLUR_MM = 2.0


@final
@dataclass(frozen=True, eq=False)
class Template:
    """Maps on a lattice parallel to the axes.

    Args:
        maps: Grey and white matter, 0 to 1, `(2, x, y, z)`.
        soft: The same, blurred by what an alignment leaves over.
        deep: Share of the grey matter that is deep grey matter, 0 to 1.
        cerebellum: Mask of the cerebellum without the brainstem.
        brain: Mask of the brain, fluid included.
        origin_mm: Position of the first voxel.
        spacing_mm: Voxel size.
    """

    maps: Maps
    soft: Maps
    deep: Float32[np.ndarray, "x y z"]
    cerebellum: Mask
    brain: Mask
    origin_mm: tuple[float, float, float]
    spacing_mm: float

    def sample(self, values: np.ndarray, points: Points) -> Float32[np.ndarray, " n"]:
        """Interpolate a map at points in millimetres; 0 outside."""
        places = (points - np.array(self.origin_mm)[:, None]) / self.spacing_mm
        return np.asarray(ndimage.map_coordinates(values, places, output=np.float32, order=1))

    @property
    def moments(self) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
        """Mean position of the brain's voxels and their standard deviation along each axis, in millimetres."""
        places = np.argwhere(self.brain) * self.spacing_mm + np.array(self.origin_mm)
        return places.mean(axis=0), places.std(axis=0)


@lru_cache(maxsize=1)
def template() -> Template:
    """The maps at 2 mm; kept for the life of the process."""
    from nilearn import datasets

    images = [f(resolution=2) for f in (datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)]
    maps = np.stack([np.asarray(image.dataobj, dtype=np.float32) for image in images])
    brain = np.asarray(datasets.load_mni152_brain_mask(resolution=2).dataobj) > 0
    origin, spacing = images[0].affine[:3, 3], float(images[0].affine[0, 0])
    x, y, z = (np.arange(n) * spacing + o for n, o in zip(brain.shape, origin, strict=True))
    x, y, z = x[:, None, None], y[None, :, None], z[None, None, :]
    inside = [(a >= low) & (a <= high) for a, low, high in zip((x, y, z), _DEEP_LOW, _DEEP_HIGH, strict=True)]
    depth = ndimage.distance_transform_edt(ndimage.binary_fill_holes(brain), sampling=spacing)
    deep = (inside[0] & inside[1] & inside[2] & (np.abs(x) > _MIDLINE_MM) & (depth > 18)).astype(np.float32)
    below = (z < -8 + 0.35 * (y + 30)) & (y < -32)
    pons = (np.abs(x) < 14) & (y > -46)
    return Template(
        maps,
        np.stack([ndimage.gaussian_filter(m, _BLUR_MM / spacing) for m in maps]),
        ndimage.gaussian_filter(deep, 1.0),
        np.asarray(below & ~pons & brain),
        brain,
        (float(origin[0]), float(origin[1]), float(origin[2])),
        spacing,
    )


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
