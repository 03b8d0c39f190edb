"""A glioma in a subject: where, of which grade, how large, and what it displaces.

The tumour grows in the atlas (see `growth`), travels with the subject's warp,
and pushes the anatomy away from its core.  Thresholds on the density of its
cells give core and oedema; necrosis is where cells have been crowded longest.

Conventions
-----------
parts   `oedema`, `enhancing`, `necrosis` (dead or cystic), `non_enhancing`
        (solid tumour without uptake); float32 fractions of brain voxels
grade   `HGG` necrosis within an enhancing rim; `LGG` a solid core that mostly
        does not enhance (Louis et al. 2021, Neuro-Oncol 23:1231)
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, final

import numpy as np
from scipy import ndimage, special

from glioforge.data import Deformation, Field, Growth, Kinetics, Lattice, Tissue, exponential, grow, smooth_field
from glioforge.data.phantom.anatomy import Atlas, atlas
from glioforge.data.phantom.spec import PhantomSpec

Grade = Literal["HGG", "LGG"]

_LATTICE_MM = 2.5
_REACH_MM = 62.5
_MEDIAN_ML = {"HGG": 75.0, "LGG": 50.0}
_SPREAD = 0.6
_GROWN_SHARE = 0.88
"""Of the volume aimed at, by trial: heads are smaller than the atlas, and the mass effect widens the tumour."""


@final
@dataclass(frozen=True)
class TumourDraw:
    """Drawn parameters of a tumour.

    Args:
        grade: High or low.
        seeds_mm: Positions in the atlas where it started, RAS millimetres.
        aim_ml: Volume of the whole tumour aimed at.
        kinetics: Diffusion and proliferation.
        core_share: Share of the core (all but oedema) in the whole tumour.
        rim_share: Share of enhancing tumour in the core; 0 for no enhancement.
        push_mm: Greatest velocity of the mass effect, millimetres a unit time.
        uptake_mmol: Concentration of contrast agent in enhancing tumour, mmol/l.
    """

    grade: Grade
    seeds_mm: tuple[tuple[float, float, float], ...]
    aim_ml: float
    kinetics: Kinetics
    core_share: float
    rim_share: float
    push_mm: float
    uptake_mmol: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@final
@dataclass(frozen=True, eq=False)
class Tumour:
    """A grown tumour in atlas coordinates.

    Args:
        draw: Its parameters.
        growth: Density and age of its cells.
        roughness: Smooth random field that makes the outlines uneven.
        decay: Smooth random field that makes the necrosis, and so the rim, uneven.
        patches: Smooth random field of uptake and necrosis.
    """

    draw: TumourDraw
    growth: Growth
    roughness: Field
    decay: Field
    patches: Field


def draw_tumour(rng: np.random.Generator, spec: PhantomSpec) -> TumourDraw:
    """Draw grade, place, size and rates of a tumour.

    Volumes are log-normal, within the bounds of the spec, about 75 ml (high grade) and 50 ml (low grade), as
    in the BraTS training data (Bakas et al. 2018, arXiv:1811.02629); rates are
    within those of Harpold et al. 2007.
    """
    grade: Grade = "HGG" if rng.random() < spec.high_grade_share else "LGG"
    # Drawn by its quantile within the bounds, so that a narrow range costs no rejected draws and the stream stays in
    # step.
    low, high = special.ndtr(np.log(np.divide(spec.tumour_ml, _MEDIAN_ML[grade])) / _SPREAD)
    aim = float(_MEDIAN_ML[grade] * np.exp(_SPREAD * special.ndtri(rng.uniform(low, high))))
    white = float(np.exp(rng.uniform(np.log(0.15), np.log(0.65))))
    kinetics = Kinetics(white, white / rng.uniform(5.0, 12.0), float(np.exp(rng.uniform(np.log(0.012), np.log(0.03)))))
    core = rng.uniform(0.2, 0.5) if grade == "HGG" else rng.uniform(0.5, 0.8)
    rim = rng.uniform(0.4, 0.75)
    if grade == "LGG":
        rim = rng.uniform(0.05, 0.2) if rng.random() < 0.25 else 0.0
    push = rng.uniform(3.0, 8.0) if grade == "HGG" else rng.uniform(0.5, 3.0)
    return TumourDraw(
        grade=grade,
        seeds_mm=_seeds(rng),
        aim_ml=aim,
        kinetics=kinetics,
        core_share=float(core),
        rim_share=float(rim),
        # In proportion to the radius, relative to the median high-grade volume.
        push_mm=float(push * (aim / 75) ** (1 / 3) * spec.mass_effect),
        uptake_mmol=float(rng.uniform(0.25, 0.8)),
    )


def grow_tumour(rng: np.random.Generator, draw: TumourDraw) -> Tumour:
    """Grow a drawn tumour in the atlas."""
    centre = np.rint(np.mean(draw.seeds_mm, axis=0))
    low, high = tuple(centre - _REACH_MM), tuple(centre + _REACH_MM)
    lattice = Lattice.covering(low, high, _LATTICE_MM)
    points = lattice.points
    source = atlas((_LATTICE_MM,) * 3)
    white, grey = (
        (source.lattice.sample(t, points, outside=0.0) / np.float32(255)).reshape(lattice.shape)
        for t in source.tissues[:2]
    )
    uneven = np.clip(np.exp(0.8 * smooth_field(rng, lattice, 6.0)), 0.15, 2.5)
    vigour = np.clip(np.exp(0.4 * smooth_field(rng, lattice, 8.0)), 0.4, 2.0)
    tissue = Tissue(lattice, white, grey, uneven.astype(np.float32), vigour.astype(np.float32))
    start = np.zeros(lattice.shape, dtype=np.float32)
    for seed in draw.seeds_mm:
        away = ((points - np.asarray(seed, dtype=np.float32)[:, None]) ** 2).sum(axis=0)
        start = np.maximum(start, np.exp(-away / np.float32(2 * 4.0**2)).reshape(lattice.shape))
    growth = grow(tissue, start, draw.kinetics, draw.aim_ml * _GROWN_SHARE)
    return Tumour(draw, growth, *(smooth_field(rng, lattice, mm) for mm in (6.0, 8.0, 4.0)))


def no_tumour(draw: TumourDraw) -> Tumour:
    """A drawn tumour of which not a cell has grown."""
    lattice = Lattice.covering((-_LATTICE_MM,) * 3, (_LATTICE_MM,) * 3, _LATTICE_MM)
    nothing = np.zeros(lattice.shape, dtype=np.float32)
    return Tumour(draw, Growth(lattice, nothing, nothing, 0.0), nothing, nothing, nothing)


def mass_effect(tumour: Tumour, anatomy: Deformation) -> Deformation:
    """Backward map of a subject whose anatomy the tumour has displaced.

    The velocity points down the smoothed density of the core, so that tissue
    and ventricles give way on all sides, and fades towards the skull, which
    does not.

    Args:
        tumour: In atlas coordinates.
        anatomy: Subject without tumour to atlas.
    """
    lattice = anatomy.lattice
    places = lattice.points + anatomy.displacement.reshape(3, -1)
    density = tumour.growth.lattice.sample(tumour.growth.density, places, outside=0.0).reshape(lattice.shape)
    # Infiltrating cells displace nothing; only the denser half of the range counts as mass.
    core = np.clip(density * 2 - 1, 0, 1)
    smooth = ndimage.gaussian_filter(core, 10.0 / lattice.spacing_mm)
    away = np.stack([np.gradient(smooth, axis=axis) for axis in range(3)])
    speed = np.sqrt((away**2).sum(axis=0))
    source = atlas((_LATTICE_MM,) * 3)
    inside = (source.whole(places) > 0.5).reshape(lattice.shape)
    depth = ndimage.distance_transform_edt(inside, sampling=lattice.spacing_mm)
    fade = np.clip(depth / 20.0, 0, 1).astype(np.float32)
    scale = np.float32(tumour.draw.push_mm / max(float(speed.max()), 1e-6))
    return anatomy.after(exponential(lattice, (away * scale * fade).astype(np.float32)))


def _near_ventricles(source: Atlas) -> np.ndarray:
    """Every fourth point of the atlas that lies within about 12 mm of fluid deep in the brain."""
    inside = source.tissues[:, ::4, ::4, ::4].max(axis=0) > 0
    deep = ndimage.binary_erosion(inside, iterations=5) & (source.tissues[2, ::4, ::4, ::4] > 200)
    near: np.ndarray = ndimage.binary_dilation(deep, iterations=3)
    return near


def _seeds(rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """One to three starting points, a few millimetres apart, in the white matter of the cerebrum."""
    source = atlas((_LATTICE_MM,) * 3)
    white = source.tissues[0][::4, ::4, ::4] > 200
    x, y, z = (
        np.arange(0, n, 4, dtype=np.float32) + o
        for n, o in zip(source.tissues.shape[1:], source.lattice.origin_mm, strict=True)
    )
    cerebrum = (np.abs(x) > 16)[:, None, None] & ((y > -80) & (y < 55))[:, None] & ((z > -14) & (z < 52))
    stem = (np.abs(x) < 28)[:, None, None] & (y < -5)[:, None] & (z < 2)
    places = np.argwhere(white & cerebrum & ~stem & ~_near_ventricles(source))
    first = places[rng.integers(len(places))]
    centre = np.array([x[first[0]], y[first[1]], z[first[2]]], dtype=np.float64)
    centre += rng.uniform(-1.5, 1.5, 3)
    others = [centre + rng.normal(0, 8.0, 3) for _ in range(int(rng.integers(0, 3)))]
    return tuple((round(float(a), 2), round(float(b), 2), round(float(c), 2)) for a, b, c in (centre, *others))
