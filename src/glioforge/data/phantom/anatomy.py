"""A subject's anatomy: the MNI152 tissue maps, warped to an individual head.

The atlas is the symmetric non-linear ICBM152 2009a average of 152 young adults
(Fonov et al. 2011, NeuroImage 54:313; 1 mm), which nilearn carries in its
package, so that nothing is downloaded.  Grey and white matter are its
probability maps; fluid is what the brain mask leaves over.  The average's
blurred borders are sharpened, and what its T1 image shows beyond three
tissues (thalamus, putamen, pons ...) is kept as `myelin`.

Conventions
-----------
fractions  float32 in [0, 1], sum 1 within the brain, order white, grey, fluid
myelin     shift of relaxation towards white matter (+1) or away from it (-1)
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from jaxtyping import Float32, Int8, UInt8
from scipy import ndimage

from glioforge.core import Geometry, Mask, bounding_box
from glioforge.data import Deformation, Lattice, Points
from glioforge.data.phantom.spec import CENTRE_MM

_MARGIN_MM = 6
_COARSE = (2.5, 2.5, 2.5)
_SHARPNESS = 2.0
_FLUID_GAIN = 2.5

Flat = Float32[np.ndarray, " n"]


@final
@dataclass(frozen=True, eq=False)
class Atlas:
    """The sharpened atlas, averaged over the volume of a voxel.

    Args:
        lattice: Its 1 mm points in MNI152 millimetres.
        tissues: White, grey, fluid in 255ths, `(3, x, y, z)`; zero outside the brain.
        myelin: Shift in 100ths, `(x, y, z)`.
    """

    lattice: Lattice
    tissues: UInt8[np.ndarray, "3 x y z"]
    myelin: Int8[np.ndarray, "x y z"]

    def whole(self, points: Points) -> Flat:
        """Share of brain, fluid included, at points `(3, n)`."""
        parts = np.stack([self.lattice.sample(tissue, points, outside=0.0) for tissue in self.tissues])
        share: Flat = parts.sum(axis=0) / np.float32(255)
        return share


@final
@dataclass(frozen=True, eq=False)
class Anatomy:
    """Normal tissue at the voxels of a brain.

    Args:
        brain: Mask of the brain on the grid.
        points: Atlas position of each brain voxel, `(3, n)`, in C order of the mask.
        white: Fraction of white matter, `(n,)`.
        grey: Fraction of grey matter, `(n,)`.
        fluid: Fraction of cerebrospinal fluid, `(n,)`.
        myelin: Shift of relaxation, `(n,)`.
    """

    brain: Mask
    points: Points
    white: Flat
    grey: Flat
    fluid: Flat
    myelin: Flat


@lru_cache(maxsize=1)
def _atlas_millimetre() -> tuple[Lattice, np.ndarray, np.ndarray]:
    """Sharpened fractions and myelin at 1 mm, float32, cropped to the brain with a margin."""
    from nilearn import datasets

    images = [
        f(resolution=1)
        for f in (datasets.load_mni152_template, datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    ]
    mask = np.asarray(datasets.load_mni152_brain_mask(resolution=1).dataobj) > 0
    affine = images[0].affine
    t1, grey, white = (np.asarray(image.dataobj, dtype=np.float32) for image in images)
    mask = ndimage.binary_dilation(ndimage.binary_fill_holes(mask | (grey + white > 0.3)), iterations=1)
    box = bounding_box(mask, _MARGIN_MM) or (slice(None),) * 3
    t1, grey, white, mask = t1[box], grey[box], white[box], mask[box]
    fluid = np.clip(mask - grey - white, 0, 1) * mask
    myelin = _myelin(t1, white, grey, fluid)
    origin = [float(affine[a, 3] + s.start) for a, s in enumerate(box)]
    lattice = Lattice((origin[0], origin[1], origin[2]), 1.0, (t1.shape[0], t1.shape[1], t1.shape[2]))
    return lattice, _sharpened(white * mask, grey * mask, fluid), myelin


def _sharpened(*fractions: np.ndarray) -> np.ndarray:
    """Fractions raised to a power and normalised, the fluid of the blurred sulci lifted first."""
    white, grey, fluid = fractions
    powers = np.stack([white**_SHARPNESS, grey**_SHARPNESS, (_FLUID_GAIN * fluid) ** _SHARPNESS])
    total = powers.sum(axis=0)
    return powers / np.maximum(total, 1e-6) * (white + grey + fluid > 0.5)


def _myelin(t1: np.ndarray, white: np.ndarray, grey: np.ndarray, fluid: np.ndarray) -> np.ndarray:
    """T1 image minus its mixture of pure tissues, in units of the white-grey contrast."""
    pure = [float(np.median(t1[part > 0.95])) for part in (white, grey, fluid)]
    expected = pure[0] * white + pure[1] * grey + pure[2] * fluid
    shift = (t1 - expected) / (pure[0] - pure[1]) * (white + grey > 0.6)
    return np.clip(ndimage.gaussian_filter(shift, 0.7), -1, 1)


@lru_cache(maxsize=4)
def atlas(spacing_mm: tuple[float, float, float]) -> Atlas:
    """The atlas for voxels of this size; kept for the life of the process.

    A voxel averages over its volume: a Gaussian of its standard deviation
    (spacing / sqrt 12) minus that of the atlas's own millimetre.
    """
    lattice, tissues, myelin = _atlas_millimetre()
    sigma = [float(np.sqrt(max(s * s - 1, 0) / 12)) for s in spacing_mm]
    smooth = [ndimage.gaussian_filter(t, sigma, truncate=3) for t in (*tissues, myelin)]
    return Atlas(
        lattice,
        np.stack([np.rint(t * 255).astype(np.uint8) for t in smooth[:3]]),
        np.rint(smooth[3] * 100).astype(np.int8),
    )


def warped_anatomy(geometry: Geometry, deformation: Deformation, fluid_gain: float = 1.0) -> Anatomy:
    """Tissue of a subject on a RAS grid.

    Args:
        geometry: Grid parallel to the axes.
        deformation: Subject to atlas.
        fluid_gain: Odds of fluid, times this: above 1 wider sulci and ventricles, below 1 narrower ones.
    """
    x, y, z = geometry.spacing
    source = atlas((x, y, z))
    candidates = _around_brain(geometry, deformation, source)
    places = deformation(grid_points(geometry, candidates))
    white, grey, fluid = (source.lattice.sample(t, places, outside=0.0) / np.float32(255) for t in source.tissues)
    inside = np.zeros(geometry.shape, dtype=bool)
    inside[candidates] = white + grey + fluid > 0.5
    brain = _one_piece(inside) & candidates
    keep = brain[candidates]
    points = places[:, keep]
    white, grey, fluid = white[keep], grey[keep], fluid[keep] * np.float32(fluid_gain) + np.float32(1e-3)
    total = white + grey + fluid
    myelin = source.lattice.sample(source.myelin, points) / np.float32(100)
    return Anatomy(brain, points, white / total, grey / total, fluid / total, myelin)


def grid_points(geometry: Geometry, mask: Mask) -> Points:
    """Positions of the voxels of a mask in RAS millimetres, in C order, on a grid parallel to the axes."""
    axes = [
        (np.arange(n) * geometry.affine[a, a] + geometry.affine[a, 3]).astype(np.float32)
        for a, n in enumerate(geometry.shape)
    ]
    return np.stack([axis[index] for axis, index in zip(axes, np.nonzero(mask), strict=True)])


def centred(deformation: Deformation) -> Deformation:
    """The same head, moved so that its brain's bounding box is centred where the atlas's is, in the field of view."""
    lattice = deformation.lattice
    places = lattice.points + deformation.displacement.reshape(3, -1)
    index = np.argwhere(atlas(_COARSE).whole(places).reshape(lattice.shape) > 0.5)
    middle = (index.min(axis=0) + index.max(axis=0)) / 2 * lattice.spacing_mm + lattice.origin_mm
    x, y, z = (float(m - c) for m, c in zip(middle, CENTRE_MM, strict=True))
    origin = (lattice.origin_mm[0] - x, lattice.origin_mm[1] - y, lattice.origin_mm[2] - z)
    offset = np.array([x, y, z], dtype=np.float32)[:, None, None, None]
    return Deformation(Lattice(origin, lattice.spacing_mm, lattice.shape), deformation.displacement + offset)


def _around_brain(geometry: Geometry, deformation: Deformation, source: Atlas) -> Mask:
    """Voxels that may lie in the brain, judged on the deformation's coarse lattice and widened."""
    coarse = deformation.lattice
    places = coarse.points + deformation.displacement.reshape(3, -1)
    wide = ndimage.maximum_filter(source.whole(places).reshape(coarse.shape), 3) > 0
    index = [
        np.rint((np.arange(n) * geometry.affine[a, a] + geometry.affine[a, 3] - o) / coarse.spacing_mm)
        for a, (n, o) in enumerate(zip(geometry.shape, coarse.origin_mm, strict=True))
    ]
    clipped = [np.clip(i, 0, n - 1).astype(np.intp) for i, n in zip(index, coarse.shape, strict=True)]
    return wide[np.ix_(*clipped)]


def _one_piece(mask: Mask) -> Mask:
    """Largest component, without holes and without what hangs on it by less than three voxels' width."""
    thick = _largest(ndimage.binary_opening(mask))
    return ndimage.binary_fill_holes(_largest(ndimage.binary_dilation(thick, iterations=1) & mask))


def _largest(mask: Mask) -> Mask:
    """Largest component; all of an empty mask."""
    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return (pieces == sizes.argmax()) & mask
