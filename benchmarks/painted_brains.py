"""FreeSurfer label maps painted with the phantom's signal, noise and bias field, a phantom's tumour inserted.

A map of whole-head labels at 1 mm is averaged over voxels of 2 mm; the truth of
a voxel is the class that fills most of it, neighbours breaking ties.  Deep grey
matter, pons and the like have relaxation of their own (`MYELIN`).  The brain
reaches 1.5 mm beyond its closed surface, as skull-stripped scans do.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import nibabel as nib
import numpy as np
from scipy import ndimage

from glioforge.core import COMPLETE, Geometry, Mask, Modality, Voxels, stream
from glioforge.data.lattice import Lattice
from glioforge.data.phantom.anatomy import Anatomy
from glioforge.data.phantom.image import draw_texture, measured_image, noise_free_images, vessel_fraction
from glioforge.data.phantom.regions import compose
from glioforge.data.phantom.signal import draw_scanner
from glioforge.data.phantom.spec import CENTRE_MM, PhantomSpec
from glioforge.data.phantom.tumour import draw_tumour, grow_tumour
from glioforge.data.preparation.brain import largest_part, without_holes

WHITE = (2, 41, 7, 46, 16, 77, 85, 28, 60, 25, 57)
GREY = (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 13, 52, 17, 53, 18, 54, 26, 58)
VENTRICLES = (4, 43, 5, 44, 14, 15, 72)
FLUID = (*VENTRICLES, 24, 30, 62)
MYELIN = {10: 0.4, 49: 0.4, 12: 0.15, 51: 0.15, 13: 0.7, 52: 0.7, 11: 0.1, 50: 0.1, 16: -0.25, 28: -0.3, 60: -0.3}
"""Shift of relaxation towards white matter of structures that are neither cortex nor plain white matter."""
HALF_BRAIN_MM = (68.0, 86.0, 70.0)
_LATTICE = Lattice.covering((-108.0, -124.0, -88.0), (107.0, 91.0, 97.0), 5.0)
_FACTOR = 2


@final
@dataclass(frozen=True, eq=False)
class PaintedBrain:
    """Scan and truth of one brain on a RAS grid of 2 mm.

    Args:
        images: Contrasts.
        labels: Tumour alone, scheme `COMPLETE`.
        truth: All classes.
        brain: Mask.
    """

    images: dict[Modality, Voxels]
    labels: np.ndarray
    truth: np.ndarray
    brain: Mask


def painted_brain(path: Path, index: int, seed: int = 11) -> PaintedBrain:
    """Paint one label map; the index chooses tumour and scanner."""
    fractions, myelin, mask = _fractions(path)
    brain = without_holes(largest_part(mask))
    grid = Geometry.isotropic((brain.shape[0], brain.shape[1], brain.shape[2]), spacing_mm=float(_FACTOR))
    near = [part + 0.01 * ndimage.gaussian_filter(part, 0.7) for part in fractions]
    total = np.maximum(sum(near), 1e-3)
    white, grey, fluid = ((part / total)[brain].astype(np.float32) for part in near)
    anatomy = Anatomy(brain, _in_atlas(brain), white, grey, fluid, myelin[brain])
    spec = PhantomSpec()
    draw = draw_tumour(stream(seed, "phantom", index, "tumour"), spec)
    tumour = grow_tumour(stream(seed, "phantom", index, "growth"), draw)
    tissue, scan = stream(seed, "phantom", index, "tissue"), stream(seed, "phantom", index, "scan")
    made = compose(tumour, anatomy, grid).with_vessels(vessel_fraction(tissue, _LATTICE, anatomy))
    site = f"site-{int(stream(seed, 'phantom', index, 'site').integers(spec.sites))}"
    scanner = draw_scanner(stream(seed, "phantom", site), scan, site, spec)
    clean = noise_free_images(scanner, made, draw_texture(tissue, _LATTICE, anatomy), draw.uptake_mmol)
    images = {}
    for modality, values in clean.items():
        images[modality] = np.zeros(brain.shape, dtype=np.float32)
        images[modality][brain] = measured_image(scan, values, anatomy, scanner.noise[modality], scanner.bias)
    return PaintedBrain(images, made.labels.to(COMPLETE).voxels, made.truth.voxels, brain)


def _fractions(path: Path) -> tuple[list[np.ndarray], np.ndarray, Mask]:
    """Fractions of white matter, grey matter and fluid, relaxation and mask at 2 mm."""
    labels = np.asarray(nib.as_closest_canonical(nib.load(path)).dataobj).astype(np.int32)
    solid = np.isin(labels, WHITE + GREY + VENTRICLES)
    found = ndimage.find_objects(solid.astype(np.uint8))[0]
    box = tuple(slice(max(s.start - 8, 0), s.stop + 8) for s in found)
    labels, solid = labels[box], solid[box]
    grown = ndimage.distance_transform_edt(~solid) <= 7
    closed = grown & (ndimage.distance_transform_edt(grown) > 5.5)
    brain = solid | (closed & np.isin(labels, FLUID))
    myelin = np.zeros(labels.shape, dtype=np.float32)
    for value, shift in MYELIN.items():
        myelin[labels == value] = shift
    parts = [_averaged(np.isin(labels, values) & brain) for values in (WHITE, GREY, FLUID)]
    return parts, _averaged(ndimage.gaussian_filter(myelin, 0.7)), np.asarray(sum(parts) > 0.5)


def _averaged(values: np.ndarray) -> np.ndarray:
    """Means over blocks of two voxels along each axis."""
    padded = np.pad(values.astype(np.float32), [(0, n % _FACTOR) for n in values.shape])
    x, y, z = (n // _FACTOR for n in padded.shape)
    return padded.reshape(x, _FACTOR, y, _FACTOR, z, _FACTOR).mean(axis=(1, 3, 5))


def _in_atlas(brain: Mask) -> np.ndarray:
    """Rough atlas position of each voxel, so that tumours start in white matter."""
    places = np.argwhere(brain) * float(_FACTOR)
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = (places - (low + high) / 2) / ((high - low) / 2) * np.array(HALF_BRAIN_MM) + np.array(CENTRE_MM)
    return np.ascontiguousarray(scaled.T, dtype=np.float32)
