"""A phantom after surgery: part of the tumour's core is taken out, and fluid fills the cavity.

What is left of the core lines the cavity, thicker on one side.  Oedema, mass
effect and everything else stay as they were before; blood, air, scar and the
shift of the brain back after surgery are not simulated.

APT-weighted images show the asymmetry of the magnetisation transfer ratio in
percent.  The values of tissues are round numbers within the ranges that Zhou et
al. (Journal of Magnetic Resonance Imaging 50, 2019) give for gliomas and normal
brain; they were not checked against the originals one by one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from scipy import ndimage

from glioforge.core import BRATS2024, COMPLETE_CAVITY, Geometry, LabelMap, bounding_box
from glioforge.data.phantom.anatomy import Anatomy, Flat
from glioforge.data.phantom.regions import Composition, soft

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
