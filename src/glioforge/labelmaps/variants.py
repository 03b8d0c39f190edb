"""Lesions of the bank, turned, scaled, mirrored, bent and with other shares of their parts."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glioforge.core import Geometry
from glioforge.labelmaps.spec import LesionSpec
from glioforge.lesions import MARGIN_MM, Counts, Displacement, Donor, Graft, LesionPatch, fitted, scaled_counts

_GRID, _LATTICE = 4, 13


def varied(donor: Donor, geometry: Geometry, spec: LesionSpec, rng: np.random.Generator) -> LesionPatch:
    """Return a varied lesion on the axes of a grid, wherever it is.

    Args:
        donor: The lesion.
        geometry: Grid that it is for.
        spec: How much it varies.
        rng: Source of the draws.
    """
    lesion = fitted(donor.lesion, geometry)
    graft = Graft.of(lesion, MARGIN_MM)
    voxel_ml = float(np.prod(lesion.spacing)) / 1000
    factor = float(np.exp(rng.uniform(*np.log(spec.volume_factor))))
    low, high = (bound / (lesion.counts[0] * voxel_ml) for bound in spec.volume_ml)
    scale = float(np.clip(factor, low, high)) ** (1 / 3)
    turned = graft.mapped(_matrix(geometry, spec, rng) * scale, lesion.centre, (0.0, 0.0, 0.0), lesion.spacing)
    bent = _bent(turned, float(rng.uniform(*spec.bend_mm)), rng)
    return replace(bent, counts=other_shares(bent.counts, spec, rng)).free()


def other_shares(counts: Counts, spec: LesionSpec, rng: np.random.Generator) -> Counts:
    """Return counts with other shares of core and necrosis; parts that are there stay, parts that are not stay absent.

    Example:
        >>> other_shares((100, 40, 10), LesionSpec(core_factor=(1.0, 1.0)), np.random.default_rng(0))
        (100, 40, 10)
    """
    whole, core, dead, *cavity = counts
    core_factor, dead_factor = np.exp([rng.uniform(*np.log(spec.core_factor)) for _ in range(2)]).tolist()
    room = whole - sum(cavity)
    wider = min(max(round(core * core_factor), min(core, 1)), room)
    share = dead / core if core else 0.0
    inner = min(round(wider * min(share * dead_factor, 0.95)), wider) if share < 1 else wider
    return whole, wider, inner, *cavity


def learned_counts(bank: tuple[Donor, ...], voxel_ml: float, spec: LesionSpec, rng: np.random.Generator) -> Counts:
    """Counts of a grown lesion: volume and shares of a lesion of the bank, varied; of usual gliomas without a bank.

    Args:
        bank: Lesions, possibly none.
        voxel_ml: Volume of a voxel of the host.
        spec: Bounds.
        rng: Source of the draws.
    """
    if bank:
        lesion = bank[int(rng.integers(len(bank)))].lesion
        whole, core, dead = lesion.counts[:3]
        volume, shares = lesion.volume_mm3 / 1000, (core / whole, dead / max(core, 1))
    else:
        volume, shares = float(np.exp(rng.normal(np.log(60), 0.6))), (rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.7))
    volume *= float(np.exp(rng.uniform(*np.log(spec.volume_factor))))
    whole = max(round(float(np.clip(volume, *spec.volume_ml)) / voxel_ml), 8)
    core = round(whole * shares[0])
    return other_shares(scaled_counts((whole, core, round(core * shares[1])), 1.0), spec, rng)


def _matrix(geometry: Geometry, spec: LesionSpec, rng: np.random.Generator) -> Float64[np.ndarray, "3 3"]:
    """Rotation about a random axis after a swap of left and right in every second draw."""
    axis = rng.standard_normal(3)
    axis /= max(float(np.linalg.norm(axis)), 1e-9)
    turn = Rotation.from_rotvec(np.radians(rng.uniform(0, spec.turn_deg)) * axis).as_matrix()
    if rng.random() < 0.5:
        swap = np.eye(3)
        side = geometry.world_axes.index(0)
        swap[side, side] = -1
        turn = turn @ swap
    return np.asarray(turn)


def _bent(graft: Graft, amplitude_mm: float, rng: np.random.Generator) -> Graft:
    """A graft under a smooth random displacement of its box."""
    vectors = amplitude_mm * rng.standard_normal((3, _GRID, _GRID, _GRID))
    fine = np.stack([ndimage.zoom(v, _LATTICE / _GRID, order=3, mode="nearest") for v in vectors])
    lattice = tuple(np.linspace(0, n - 1, _LATTICE) for n in graft.fields.shape[1:])
    return graft.warped(Displacement(fine, lattice, graft.spacing).unfolded())
