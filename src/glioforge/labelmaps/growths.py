"""Tumours grown in a host's own white matter, by reaction and diffusion (`data.growth`).

A tumour starts where the prior says, spreads faster in white matter than in
grey, and stops at fluid, the falx, the brainstem and the tentorium.  It is kept
at a few volumes; a lesion of any volume in between is a level set of the stage
next above, with an outline of its own.

Conventions
-----------
stages   float16 `(stage, 2, x, y, z)`: density as T2 shows it, and days of crowding in 100ths of the longest
origin   first lattice point in mm along the axes of the host's grid
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float16
from scipy import ndimage

from glioforge.core import EditError, Index, stream
from glioforge.data import Growth, Kinetics, Lattice, Tissue, smooth_field, stages, visibility
from glioforge.labelmaps.hosts import Host, white_shares
from glioforge.labelmaps.prior import Prior
from glioforge.lesions import WHITE, Counts, Graft

VOLUMES_ML = (6.0, 20.0, 50.0, 110.0)
"""Volumes at which a growing tumour is kept."""
_LATTICE_MM = 3.0
_REACH_MM = 57.0
_SEED_MM = 4.0
_EDGE_MM = 9.0


@final
@dataclass(frozen=True, eq=False)
class GrownTumour:
    """A tumour at several volumes.

    Args:
        stages: See the module's conventions.
        origin: See there.
    """

    stages: Float16[np.ndarray, "stage 2 x y z"]
    origin: tuple[float, float, float]

    @property
    def lattice(self) -> Lattice:
        """Points of its fields."""
        x, y, z = self.stages.shape[2:]
        return Lattice(self.origin, _LATTICE_MM, (x, y, z))


def grown_tumour(host: Host, prior: Prior, seed: int) -> GrownTumour:
    """Grow a tumour in a host.

    Args:
        host: The brain.
        prior: Where it starts.
        seed: Seed of all draws.

    Raises:
        EditError: The brain has no white matter where a tumour may start.
    """
    rng = stream(seed, "growth")
    start = _start(host, prior, rng)
    lattice = Lattice.covering(tuple(start - _REACH_MM), tuple(start + _REACH_MM), _LATTICE_MM)
    white, grey = white_shares(host.labels, lattice)
    open_to = _open(host, lattice)
    uneven = np.clip(np.exp(0.8 * smooth_field(rng, lattice, 6.0)), 0.15, 2.5).astype(np.float32)
    vigour = np.clip(np.exp(0.4 * smooth_field(rng, lattice, 8.0)), 0.4, 2.0).astype(np.float32)
    tissue = Tissue(lattice, (white * open_to).astype(np.float32), (grey * open_to).astype(np.float32), uneven, vigour)
    grown = stages(tissue, _seeds(lattice, start, rng), _kinetics(rng), VOLUMES_ML)
    kept = np.stack([_kept(growth, tissue) for growth in grown])
    x, y, z = (float(o) for o in lattice.origin_mm)
    return GrownTumour(kept, (x, y, z))


def grown_lesion(
    tumour: GrownTumour, counts: Counts, spacing: tuple[float, float, float], rng: np.random.Generator
) -> Graft:
    """A lesion of a given number of voxels, as level sets of the stage next above, made uneven.

    Args:
        tumour: In the host in which it shall lie.
        counts: Voxels of whole lesion, tumour core and necrotic core.
        spacing: Voxel size of the host.
        rng: Draws the unevenness.
    """
    volume_ml = counts[0] * float(np.prod(spacing)) / 1000
    stage = int(np.searchsorted(VOLUMES_ML[:-1], volume_ml))
    lattice = tumour.lattice
    fields = tumour.stages[stage].astype(np.float32)
    rough = [smooth_field(rng, lattice, mm) for mm in (6.0, 8.0, 5.0)]
    seen = fields[0] * np.exp(np.float32(0.35) * rough[0])
    crowded = fields[1] * np.exp(np.float32(0.6) * rough[0])
    start, shape = _box(lattice, seen, counts[0], spacing)
    index = _index(lattice, start, shape, spacing)
    whole, core = (ndimage.map_coordinates(f, index, order=1, mode="constant") for f in (seen, crowded))
    ring = counts[1] > 0 and counts[2] >= 0.25 * counts[1]
    # A dead centre lies deep in the core; where little is dead or nothing enhances, the parts lie in patches.
    inner = ndimage.gaussian_filter(crowded, 1.5) * np.exp(np.float32(0.3) * rough[1]) if ring else rough[2]
    dead = ndimage.map_coordinates(inner, index, order=1, mode="nearest")
    return Graft(np.stack([whole, core, dead]).astype(np.float32), start, counts, spacing)


def _start(host: Host, prior: Prior, rng: np.random.Generator) -> np.ndarray:
    """Millimetres of the place where a tumour starts: white matter off ventricles, midline, stem and cerebellum."""
    coarse, parts = host.places.coarse, host.parts
    near = ndimage.distance_transform_edt(
        ~(parts.ventricle | parts.brainstem | parts.below | parts.midline), coarse.spacing
    )
    inside = ndimage.distance_transform_edt(np.pad(coarse.brain, 1), coarse.spacing)[1:-1, 1:-1, 1:-1]
    places = np.argwhere((coarse.voxels == WHITE) & (near > 6.0) & (inside > _EDGE_MM))
    if not len(places):
        raise EditError("a brain without white matter for a tumour to start in", "white matter off the midline")
    voxels = places * np.array(coarse.steps) + np.array(coarse.phase)
    weights = prior.weights(host.frame.fractions(voxels))
    chosen = voxels[rng.choice(len(voxels), p=weights / weights.sum())]
    return np.asarray(chosen * np.array(host.labels.geometry.spacing) + rng.uniform(-1.5, 1.5, 3))


def _open(host: Host, lattice: Lattice) -> np.ndarray:
    """1 where a tumour may grow, 0 in stem, cerebellum, ventricles and the midline outside white matter."""
    coarse, parts = host.places.coarse, host.parts
    closed = (parts.brainstem | parts.below | parts.ventricle | parts.falx).astype(np.float32)
    index = coarse.indices(lattice.points.astype(np.float64))
    found: np.ndarray = ndimage.map_coordinates(closed, index, order=1, mode="nearest").reshape(lattice.shape) < 0.5
    return found


def _seeds(lattice: Lattice, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Density at the start: one to three bumps a few millimetres apart."""
    density = np.zeros(lattice.shape, dtype=np.float32)
    centres = [start, *(start + rng.normal(0, 8.0, 3) for _ in range(int(rng.integers(0, 3))))]
    for centre in centres:
        away = ((lattice.points - centre.astype(np.float32)[:, None]) ** 2).sum(axis=0)
        density = np.maximum(density, np.exp(-away / np.float32(2 * _SEED_MM**2)).reshape(lattice.shape))
    return density


def _kinetics(rng: np.random.Generator) -> Kinetics:
    """Rates, as of the phantom."""
    white = float(np.exp(rng.uniform(np.log(0.15), np.log(0.65))))
    return Kinetics(white, white / rng.uniform(5.0, 12.0), float(np.exp(rng.uniform(np.log(0.012), np.log(0.03)))))


def _kept(growth: Growth, tissue: Tissue) -> np.ndarray:
    """Fields of a stage that lesions are made of."""
    solid = np.clip(tissue.white + tissue.grey, 0, 1)
    share = tissue.white / np.maximum(solid, np.float32(0.2))
    seen = growth.density * visibility(share)
    crowded = growth.crowded_days / max(float(growth.crowded_days.max()), 1e-6)
    # Outside tissue both fall quickly: thin sulci fill, and ventricles stay out.
    weight = ndimage.gaussian_filter(solid, 0.6) ** 2
    return np.stack([seen * weight, crowded * weight]).astype(np.float16)


def _box(lattice: Lattice, seen: np.ndarray, count: int, spacing: tuple[float, float, float]) -> tuple[Index, Index]:
    """Box of voxels that is sure to hold the lesion, with a margin."""
    points = min(max(int(count * np.prod(spacing) / lattice.spacing_mm**3 * 1.3), 27), seen.size)
    level = np.partition(seen.ravel(), seen.size - points)[seen.size - points]
    index = np.argwhere(seen >= level)
    low = (index.min(axis=0) - 1) * lattice.spacing_mm + np.array(lattice.origin_mm)
    high = (index.max(axis=0) + 1) * lattice.spacing_mm + np.array(lattice.origin_mm)
    first = np.floor(low / np.array(spacing)).astype(int)
    last = np.ceil(high / np.array(spacing)).astype(int)
    i, j, k = (int(n) for n in first)
    a, b, c = (int(n) for n in last - first + 1)
    return (i, j, k), (a, b, c)


def _index(lattice: Lattice, start: Index, shape: Index, spacing: tuple[float, float, float]) -> np.ndarray:
    """Lattice indices of the voxels of a box, `(3, a, b, c)`."""
    lines = [
        (np.arange(n) + first) * step / lattice.spacing_mm - origin / lattice.spacing_mm
        for n, first, step, origin in zip(shape, start, spacing, lattice.origin_mm, strict=True)
    ]
    return np.stack(np.meshgrid(*lines, indexing="ij"))
