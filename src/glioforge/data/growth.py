"""Growth of a glioma by the Fisher-Kolmogorov equation.

    dc/dt = div(D grad c) + rho c (1 - c),    no flux into fluid or out of the brain

`c` is the density of tumour cells as a share of the tissue's capacity.  Cells
diffuse faster in white than in grey matter, which draws the tumour out along
the white matter into fingers.

Sources: Swanson, Alvord & Murray 2000, Cell Prolif 33:317 (equation, D in white
matter 0.65 mm²/day, in grey matter a fifth of it, rho 0.012/day, edge on T2 at
a density of 0.16 and on T1 with contrast at 0.8); Harpold, Alvord & Swanson
2007, J Neuropathol Exp Neurol 66:1 (ranges of D and rho over patients);
Konukoglu et al. 2010, IEEE TMI 29:77 (ratio of D between tissues and above).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from glioforge.data.lattice import Field, Lattice

Faces = Float32[np.ndarray, "..."]

VISIBLE_DENSITY = 0.16
"""Density above which T2 and FLAIR show the tumour (Swanson et al. 2000)."""
_COURANT = 0.9
_LONGEST_DAYS = 3000.0


@final
@dataclass(frozen=True)
class Kinetics:
    """How a tumour grows.

    Args:
        white_mm2_per_day: Diffusion in white matter.
        grey_mm2_per_day: Diffusion in grey matter.
        proliferation_per_day: Rate rho at low density.
    """

    white_mm2_per_day: float
    grey_mm2_per_day: float
    proliferation_per_day: float


@final
@dataclass(frozen=True, eq=False)
class Tissue:
    """Where a tumour grows.

    Args:
        lattice: Points of the fields.
        white: Fraction of white matter.
        grey: Fraction of grey matter; what neither fills is fluid or outside the brain.
        diffusivity: Factor on the diffusion, which makes growth uneven; about 1.
        vigour: Factor on the proliferation; about 1.
    """

    lattice: Lattice
    white: Field
    grey: Field
    diffusivity: Field
    vigour: Field

    @property
    def solid(self) -> np.ndarray:
        """Points where cells can live: mostly tissue."""
        solid: np.ndarray = self.white + self.grey > 0.5
        return solid

    @property
    def seen(self) -> Field:
        """How readily oedema shows at each point."""
        return visibility(self.white)


@final
@dataclass(frozen=True, eq=False)
class Growth:
    """A grown tumour.

    Args:
        lattice: Points of the fields.
        density: Cell density in [0, 1], continued a little way into fluid.
        crowded_days: Integral of the squared density over time: for how long each point has been crowded.
        days: Age of the tumour.
    """

    lattice: Lattice
    density: Field
    crowded_days: Field
    days: float


def visibility(white: np.ndarray) -> np.ndarray:
    """How readily oedema shows in tissue with this share of white matter: cortex holds little water."""
    seen: np.ndarray = np.float32(0.2) + np.float32(0.8) * white
    return seen


def grow(tissue: Tissue, seeds: Field, kinetics: Kinetics, volume_ml: float) -> Growth:
    """Grow a tumour until what T2 shows of it reaches a volume; arguments as for `stages`."""
    return next(stages(tissue, seeds, kinetics, (volume_ml,)))


def stages(tissue: Tissue, seeds: Field, kinetics: Kinetics, volumes_ml: Iterable[float]) -> Iterator[Growth]:
    """Grow a tumour and yield it whenever what T2 shows of it has reached the next volume.

    Explicit Euler steps within the stability limit; fluxes through the faces
    of the lattice's cells, so that cells only appear by proliferation.

    Args:
        tissue: Where it grows.
        seeds: Density at the start; cleared where there is no tissue.
        kinetics: Rates.
        volumes_ml: Rising volumes; at 3000 days the tumour is yielded as it is for all that are left.
    """
    solid = tissue.solid
    density = seeds * solid
    crowded = np.zeros_like(density)
    step, faces = _steps(tissue, kinetics)
    reaction = np.float32(step * kinetics.proliferation_per_day) * tissue.vigour
    # Oedema in cortex shows at a higher density only; the same edge as in the images, so that the volume asked for is
    # seen.
    edge = np.float32(VISIBLE_DENSITY) / tissue.seen
    days = 0.0
    for volume_ml in volumes_ml:
        enough = volume_ml * 1000 / tissue.lattice.spacing_mm**3
        while days < _LONGEST_DAYS and np.count_nonzero(density > edge) < enough:
            change = reaction * density * (1 - density)
            _add_fluxes(change, density, faces)
            density += change
            crowded += np.float32(step) * density * density
            days += step
        yield Growth(tissue.lattice, _continued(density, solid), crowded.copy(), days)


def _steps(tissue: Tissue, kinetics: Kinetics) -> tuple[float, tuple[Faces, ...]]:
    """Length of a step in days, and the share that passes each inner face in it along each axis."""
    h = tissue.lattice.spacing_mm
    diffusion = kinetics.white_mm2_per_day * tissue.white + kinetics.grey_mm2_per_day * tissue.grey
    diffusion = diffusion * tissue.diffusivity * tissue.solid
    step = min(_COURANT * h * h / (6 * float(diffusion.max()) + 1e-9), 0.25 / kinetics.proliferation_per_day)
    faces = []
    for axis in range(3):
        # Harmonic mean at a face: where one side does not diffuse, nothing passes, so fluid stays a barrier.
        a, b = _neighbours(diffusion, axis)
        faces.append((2 * a * b / np.maximum(a + b, np.float32(1e-9)) * np.float32(step / h**2)).astype(np.float32))
    return step, tuple(faces)


def _neighbours(field: Field, axis: int) -> tuple[Faces, Faces]:
    """Views of all points but the last and but the first along an axis."""
    low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
    high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
    return field[low], field[high]


def _add_fluxes(change: Field, density: Field, faces: tuple[Faces, ...]) -> None:
    """Add what diffuses between neighbours."""
    for axis, share in enumerate(faces):
        low, high = _neighbours(density, axis)
        flux = high - low
        flux *= share
        change_low, change_high = _neighbours(change, axis)
        change_low += flux
        change_high -= flux


def _continued(density: Field, solid: np.ndarray) -> Field:
    """Density carried about one lattice point into fluid, so that thin sulci do not cut the tumour."""
    weight = ndimage.gaussian_filter(solid.astype(np.float32), 1.0)
    near = ndimage.gaussian_filter(density, 1.0)
    # The floor keeps fluid far from tissue at nearly 0 instead of dividing by nearly nothing.
    filled: Field = np.where(solid, density, near / np.maximum(weight, np.float32(0.3)))
    return filled
