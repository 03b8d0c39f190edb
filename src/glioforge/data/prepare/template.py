"""The average brain as probability maps of tissue: cortex, deep grey matter and white matter, in MNI152 millimetres.

The maps are ICBM 2009a's, within nilearn (Fonov et al. 2011, NeuroImage 54(1),
313-327), read at 2 mm; nothing is downloaded.  Deep grey matter is the grey
matter of a box around thalamus and basal ganglia; the cerebellum is what lies
below a plane through the tentorium and behind the pons.  Both bounds are read
off the maps.  What is neither grey nor white matter counts as fluid, outside
the brain as well.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage

from glioforge.core.volume import Mask

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
