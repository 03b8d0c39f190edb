"""A phantom: one case of a computed subject, before or after surgery, with everything about it that is known.

Every draw comes from a stream named after the seed, the index and its purpose,
so that a case is the same whatever was made before it and by which worker.
Its head is a random diffeomorphism of the atlas.

Surgery takes part of the tumour's core out, and fluid fills the cavity.  What is
left of the core lines the cavity, thicker on one side.  Oedema, mass effect and
everything else stay as they were before; blood, air, scar and the shift of the
brain back after surgery are not simulated.

APT-weighted images show the asymmetry of the magnetisation transfer ratio in
percent.  The values of tissues are round numbers within the ranges that Zhou et
al. (Journal of Magnetic Resonance Imaging 50, 2019) give for gliomas and normal
brain; they were not checked against the originals one by one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from glioforge.core import (
    BRATS2024,
    COMPLETE_CAVITY,
    Case,
    Geometry,
    LabelMap,
    Lineage,
    Modality,
    Volume,
    bounding_box,
    stream,
)
from glioforge.data import Deformation, Lattice, Points, exponential, smooth_field
from glioforge.data.phantom.anatomy import Anatomy, Flat, centred, warped_anatomy
from glioforge.data.phantom.image import draw_texture, measured_image, noise_free_images, vessel_fraction
from glioforge.data.phantom.regions import Composition, compose, soft
from glioforge.data.phantom.signal import Scanner, draw_scanner
from glioforge.data.phantom.spec import CENTRE_MM, PhantomSpec
from glioforge.data.phantom.tumour import Tumour, draw_tumour, grow_tumour, mass_effect, no_tumour


def random_deformation(rng: np.random.Generator, lattice: Lattice, strength: float) -> Deformation:
    """An individual head: smooth diffeomorphism after a modest affine map.

    Broad components (sigma 22 mm, 2.3 mm strong) vary lobes and ventricles and
    make left and right differ; fine ones (sigma 8 mm, 0.9 mm) vary the gyri.
    Heads are 4 % smaller than the atlas, which is larger than life (Lancaster et
    al. 2007, Hum Brain Mapp 28:1194), and vary by 3 % along each axis and by 1.5
    degrees of rotation.

    Args:
        rng: Draws from it.
        lattice: Where the map is kept.
        strength: Scales all of it; 0 gives the identity.
    """
    broad = np.stack([smooth_field(rng, lattice, 22.0) for _ in range(3)])
    fine = np.stack([smooth_field(rng, lattice, 8.0) for _ in range(3)])
    flow = exponential(lattice, np.float32(strength) * (np.float32(2.3) * broad + np.float32(0.9) * fine))
    sizes = 1 + strength * (np.clip(rng.normal(0.96, 0.03, 3), 0.9, 1.02) - 1)
    angles = np.clip(rng.normal(0, np.radians(1.5), 3), -0.05, 0.05) * strength
    matrix = np.diag(1 / sizes).astype(np.float32)
    for (row, column), angle in zip(((0, 1), (0, 2), (1, 2)), angles, strict=True):
        matrix[row, column] += np.float32(angle)
        matrix[column, row] -= np.float32(angle)
    points = lattice.points
    centre = np.asarray(CENTRE_MM, dtype=np.float32)[:, None]
    moved = _transform(matrix, flow(points) - centre) + centre
    return Deformation(lattice, (moved - points).reshape(flow.displacement.shape))


def _transform(matrix: Float32[np.ndarray, "3 3"], points: Points) -> Points:
    """Matrix times points, written out so that no threaded library orders the sums."""
    return np.stack([row[0] * points[0] + row[1] * points[1] + row[2] * points[2] for row in matrix])


_WARP_LATTICE = Lattice.covering((-108.0, -124.0, -88.0), (107.0, 91.0, 97.0), 5.0)


@final
@dataclass(frozen=True, eq=False)
class Phantom:
    """A computed case and the truth behind it.

    Args:
        case: Four contrasts, tumour labels in scheme `BRATS2017`, brain mask, lineage and facts; after surgery also
            APTw, and labels in scheme `BRATS2024`.
        truth: All seven classes, scheme `COMPLETE`; after surgery with the cavity, `COMPLETE_CAVITY`.
        noise_free: The same scan without noise and bias field, not rounded.
        tissue_fractions: Share of each tissue in each voxel; their sum is 1 in the brain and 0 outside.
        parameters: All drawn parameters, plain JSON with units in the names.
    """

    case: Case
    truth: LabelMap
    noise_free: Mapping[Modality, Volume]
    tissue_fractions: Mapping[str, np.ndarray]
    parameters: Mapping[str, Any]


def phantom_id(seed: int, index: int) -> str:
    """Name of a phantom, as case and as subject.

    Example:
        >>> phantom_id(7, 3)
        'phantom-007-0003'
    """
    return f"phantom-{seed:03d}-{index:04d}"


def make_phantom(seed: int, index: int, spec: PhantomSpec | None = None) -> Phantom:
    """Make one phantom; the same arguments give the same bytes.

    Args:
        seed: Seed of the cohort.
        index: Number of the case within it, from 0.
        spec: What phantoms to make; the defaults unless given.
    """
    spec = spec or PhantomSpec()
    geometry = spec.ras_geometry()
    tumour, anatomy, fluid_gain = _anatomy(seed, index, spec)
    tissue = stream(seed, "phantom", index, "tissue")
    composition = compose(tumour, anatomy, geometry)
    if spec.post_operative:
        composition = operated(stream(seed, "phantom", index, "surgery"), composition, anatomy, geometry)
    composition = composition.with_vessels(vessel_fraction(tissue, _WARP_LATTICE, anatomy))
    site = f"site-{int(stream(seed, 'phantom', index, 'site').integers(spec.sites))}"
    scan = stream(seed, "phantom", index, "scan")
    scanner = draw_scanner(stream(seed, "phantom", site), scan, site, spec)
    clean = noise_free_images(
        scanner, composition, draw_texture(tissue, _WARP_LATTICE, anatomy), tumour.draw.uptake_mmol
    )
    stored = {m: measured_image(scan, clean[m], anatomy, scanner.noise[m], scanner.bias) for m in clean}
    if spec.post_operative:
        clean[Modality.APTW] = aptw_image(composition)
        noise = APTW_NOISE * spec.noise
        stored[Modality.APTW] = measured_image(scan, clean[Modality.APTW], anatomy, noise, 0.0)
    made = _Made(seed, index, spec, tumour, scanner, anatomy, composition, fluid_gain)
    return _phantom(made, stored, clean)


def phantom_labels(seed: int, index: int, spec: PhantomSpec | None = None) -> LabelMap:
    """Make the `truth` of a phantom alone, all seven classes, several times quicker than with its images.

    Args:
        seed: Seed of the cohort.
        index: Number of the case within it, from 0.
        spec: What phantoms to make; the defaults unless given.
    """
    spec = spec or PhantomSpec()
    geometry = spec.ras_geometry()
    tumour, anatomy, _ = _anatomy(seed, index, spec)
    flips = (True, True, False) if spec.orientation == "LPS" else (False, False, False)
    truth = compose(tumour, anatomy, geometry).truth

    def turned(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values[tuple(slice(None, None, -1 if f else 1) for f in flips)])

    return _turned_labels(truth, turned, geometry.permuted((0, 1, 2), flips))


def _anatomy(seed: int, index: int, spec: PhantomSpec) -> tuple[Tumour, Anatomy, float]:
    """Draw a tumour and the anatomy that it displaces; and how much fluid there is against the average."""
    draw = draw_tumour(stream(seed, "phantom", index, "tumour"), spec)
    tumour = no_tumour(draw) if spec.healthy else grow_tumour(stream(seed, "phantom", index, "growth"), draw)
    head = stream(seed, "phantom", index, "anatomy")
    fluid_gain = float(np.exp(0.35 * np.clip(head.standard_normal(), -2, 2) * spec.warp))
    deformation = mass_effect(tumour, centred(random_deformation(head, _WARP_LATTICE, spec.warp)))
    return tumour, warped_anatomy(spec.ras_geometry(), deformation, fluid_gain), fluid_gain


@final
@dataclass(frozen=True, eq=False)
class _Made:
    """The parts of a phantom before they are put together."""

    seed: int
    index: int
    spec: PhantomSpec
    tumour: Tumour
    scanner: Scanner
    anatomy: Anatomy
    composition: Composition
    fluid_gain: float


def _phantom(made: _Made, stored: Mapping[Modality, np.ndarray], clean: Mapping[Modality, np.ndarray]) -> Phantom:
    """Put the parts onto the grid in the orientation asked for."""
    case_id = phantom_id(made.seed, made.index)
    flips = (True, True, False) if made.spec.orientation == "LPS" else (False, False, False)
    geometry = made.spec.ras_geometry().permuted((0, 1, 2), flips)
    brain = made.anatomy.brain

    def turned(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values[tuple(slice(None, None, -1 if f else 1) for f in flips)])

    def grid(values: np.ndarray) -> np.ndarray:
        whole = np.zeros(geometry.shape, dtype=np.float32)
        whole[brain] = values
        return turned(whole)

    labels = _turned_labels(made.composition.labels, turned, geometry)
    parameters = _parameters(made, labels)
    case = Case(
        case_id=case_id,
        subject_id=case_id,
        images={m: Volume(grid(v), geometry, m) for m, v in stored.items()},
        lineage=Lineage.phantom(case_id, made.seed),
        labels=labels,
        brain=turned(brain),
        facts={
            **({} if made.spec.healthy else {"grade": made.tumour.draw.grade}),
            "site": made.scanner.site,
            "field_strength": made.scanner.field_tesla,
            "tumour_ml": parameters["tumour_ml"],
        },
    )
    return Phantom(
        case,
        _turned_labels(made.composition.truth, turned, geometry),
        {m: Volume(grid(v), geometry, m) for m, v in clean.items()},
        {name: grid(values) for name, values in made.composition.fractions.items()},
        parameters,
    )


def _turned_labels(labels: LabelMap, turned: Callable[[np.ndarray], np.ndarray], geometry: Geometry) -> LabelMap:
    """A label map in another orientation of its grid."""
    return LabelMap(turned(labels.voxels), geometry, labels.scheme)


def _parameters(made: _Made, labels: LabelMap) -> dict[str, Any]:
    """Everything that was drawn, and the volumes that came of it."""
    names = ("WT", "TC", "ET", *(("RC",) if made.spec.post_operative else ()))
    volumes = {name: round(labels.volume_ml(name), 3) for name in names}
    return {
        "phantom": phantom_id(made.seed, made.index),
        "seed": made.seed,
        "case": made.index,
        "spec": made.spec.model_dump(mode="json"),
        **({"scheme": labels.scheme.name} if made.spec.post_operative else {}),
        "fluid_gain": made.fluid_gain,
        **({} if made.spec.healthy else {"tumour": {**made.tumour.draw.to_json(), "days": made.tumour.growth.days}}),
        "scanner": made.scanner.to_json(),
        "tumour_ml": volumes["WT"],
        "volumes_ml": volumes,
        "brain_ml": round(float(made.anatomy.brain.sum() * labels.geometry.voxel_volume / 1000), 3),
    }


REMOVED: Final = (0.5, 0.9)
"""Share of the core that is taken out, drawn evenly."""
APTW_PERCENT: Final[Mapping[str, float]] = {
    "white_matter": 0.3,
    "grey_matter": 0.6,
    "csf": 1.5,
    "vessel": 1.0,
    "oedema": 1.2,
    "enhancing": 3.2,
    "necrosis": 2.0,
    "non_enhancing": 2.4,
}
"""Asymmetry of each tissue at 2 microtesla and 3 tesla, in percent."""
_BASE, _PER_PERCENT = 1000.0, 200.0
APTW_NOISE: Final = 0.05
"""Standard deviation of the noise of a stored APT-weighted image, as a share of white matter's intensity."""


def operated(rng: np.random.Generator, composition: Composition, anatomy: Anatomy, geometry: Geometry) -> Composition:
    """Take part of the core out.

    Args:
        rng: Draws from it.
        composition: Brain with its tumour.
        anatomy: Its anatomy.
        geometry: Its grid.

    Returns:
        The same with a cavity of fluid, in the schemes that name it; without a core, there is none.
    """
    before = composition.labels
    core = np.isin(before.voxels, before.scheme.region_values("TC"))
    removed, direction = float(rng.uniform(*REMOVED)), rng.standard_normal(3)
    cavity = np.zeros(geometry.shape, dtype=np.float32)
    box = bounding_box(core, 2)
    if box is not None:
        cavity[box] = _cavity(core[box], direction / np.linalg.norm(direction), removed, geometry.spacing)
    labels = before.to(BRATS2024).voxels.copy()
    truth = composition.truth.to(COMPLETE_CAVITY).voxels.copy()
    inside = (cavity > 0.5) & core
    labels[inside], truth[inside] = BRATS2024.value("resection_cavity"), COMPLETE_CAVITY.value("resection_cavity")
    share = cavity[anatomy.brain]
    fractions = {name: part * (1 - share) for name, part in composition.fractions.items()}
    fractions["csf"] = fractions["csf"] + share
    return replace(
        composition,
        fractions=fractions,
        labels=LabelMap(labels, geometry, BRATS2024),
        truth=LabelMap(truth, geometry, COMPLETE_CAVITY),
    )


def _cavity(core: np.ndarray, direction: np.ndarray, removed: float, spacing: tuple[float, float, float]) -> np.ndarray:
    """Share of each voxel of a box that is cavity: the part of the core far from its border, leaning to one side."""
    depth = ndimage.distance_transform_edt(core, sampling=spacing)
    places = np.indices(core.shape).reshape(3, -1) * np.array(spacing)[:, None]
    along = (direction @ places).reshape(core.shape)
    spread = float(along[core].std()) or 1.0
    field = (depth + 0.4 * depth.max() * (along - along[core].mean()) / spread).astype(np.float32)
    level = float(np.quantile(field[core], 1 - removed))
    cavity: np.ndarray = soft(field, level) * core
    return cavity


def aptw_image(composition: Composition) -> Flat:
    """APT-weighted intensities at the voxels of the brain, without noise: 1000, and 200 for each percent, `(n,)`."""
    percent = sum(np.float32(APTW_PERCENT[name]) * part for name, part in composition.fractions.items())
    image: Flat = np.float32(_BASE) + np.float32(_PER_PERCENT) * np.asarray(percent, dtype=np.float32)
    return image
