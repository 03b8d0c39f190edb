"""Parts of a tumour at the voxels of a subject, and the label maps that follow from them.

Thresholds on fields become fractions of voxels by the field's own slope: a
voxel whose centre lies just on a border holds one half of each side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from scipy import ndimage

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.core.volume import Mask
from glioforge.data.phantom.anatomy import Anatomy, Flat
from glioforge.data.phantom.growth import VISIBLE_DENSITY, visibility
from glioforge.data.phantom.tumour import Tumour

_RIM_MM = 4.0


@final
@dataclass(frozen=True, eq=False)
class Composition:
    """What each voxel of a brain is made of.

    Args:
        fractions: Share of each tissue, `(n,)` in C order of the brain mask; the shares of a voxel sum to 1.
        uptake: How strongly enhancing tumour takes up contrast agent, 0 to 1, `(n,)`.
        truth: All seven classes, scheme `COMPLETE`.
        labels: The tumour alone, scheme `BRATS2017`.
    """

    fractions: Mapping[str, Flat]
    uptake: Flat
    truth: LabelMap
    labels: LabelMap

    def with_vessels(self, share: Flat) -> "Composition":
        """The same with a share of each voxel taken by blood vessels, `(n,)`."""
        fractions = {name: part * (1 - share) for name, part in self.fractions.items()}
        return replace(self, fractions={**fractions, "vessel": share})


@final
@dataclass(frozen=True, eq=False)
class _Fields:
    """Fields of the tumour in a box around it; zero outside the brain."""

    box: tuple[slice, ...]
    spacing: tuple[float, float, float]
    density: np.ndarray
    visible: np.ndarray
    crowded: np.ndarray
    decay: np.ndarray
    patches: np.ndarray
    fluid: np.ndarray
    brain: Mask


@final
@dataclass(frozen=True, eq=False)
class _Parts:
    """Shares of voxels in the box: core, of it enhancing and necrosis, and visible oedema (core included).

    `solidity` is how much of the core's tissue the tumour has replaced.
    """

    core: np.ndarray
    enhancing: np.ndarray
    necrosis: np.ndarray
    visible: np.ndarray
    solidity: np.ndarray


def compose(tumour: Tumour, anatomy: Anatomy, geometry: Geometry) -> Composition:
    """Put a tumour into an anatomy.

    Args:
        tumour: In atlas coordinates.
        anatomy: Displaced by the tumour already.
        geometry: Grid of the anatomy.
    """
    fields = _fields(tumour, anatomy, geometry)
    parts = _parts(tumour, fields)
    core, enhancing, visible = parts.core, parts.enhancing, parts.visible


    def flat(values: np.ndarray) -> np.ndarray:
        grid = np.zeros(geometry.shape, dtype=np.float32)
        grid[fields.box] = values
        return grid[anatomy.brain]

    solid = flat(parts.solidity)
    core_flat, enhancing_flat, necrosis_flat = flat(core) * solid, flat(enhancing) * solid, flat(parts.necrosis) * solid
    wet = flat(visible) * _wetness(flat(fields.density), anatomy) * (1 - core_flat)
    solid_left = 1 - core_flat - wet
    tissue = anatomy.white + anatomy.grey
    kept = np.where(tissue > 0, solid_left - (1 - core_flat) * anatomy.fluid, 0)
    scale = np.clip(kept, 0, None) / np.maximum(tissue, np.float32(1e-6))
    fractions = {
        "white_matter": anatomy.white * scale,
        "grey_matter": anatomy.grey * scale,
        "csf": anatomy.fluid * (1 - core_flat),
        "oedema": wet,
        "enhancing": enhancing_flat,
        "necrosis": necrosis_flat,
        "non_enhancing": core_flat - enhancing_flat - necrosis_flat,
    }
    total = np.maximum(sum(fractions.values()), np.float32(1e-6))
    shares = {name: np.clip(part / total, 0, 1).astype(np.float32) for name, part in fractions.items()}
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    labels[fields.box] = _lesion_labels(tumour, fields, core, enhancing, visible)
    uptake = np.clip(0.75 + 0.25 * flat(fields.patches), 0.3, 1).astype(np.float32)
    return Composition(shares, uptake, _complete(labels, anatomy, geometry), LabelMap(labels, geometry, BRATS2017))


def _fields(tumour: Tumour, anatomy: Anatomy, geometry: Geometry) -> _Fields:
    """Sample density, age, and roughness at the voxels of the brain."""
    lattice = tumour.growth.lattice

    density = lattice.sample(tumour.growth.density, anatomy.points, outside=0.0)
    crowded = lattice.sample(tumour.growth.crowded_days, anatomy.points, outside=0.0)
    rough = lattice.sample(tumour.roughness, anatomy.points)
    patches = lattice.sample(tumour.patches, anatomy.points)
    white = anatomy.white / np.maximum(anatomy.white + anatomy.grey, np.float32(0.2))
    visible = np.clip(density * np.exp(np.float32(0.3) * rough), 0, 1) * visibility(white)
    grid = np.zeros(geometry.shape, dtype=np.float32)
    grid[anatomy.brain] = visible
    box = _box(grid > VISIBLE_DENSITY / 4)

    def in_box(values: np.ndarray) -> np.ndarray:
        grid[anatomy.brain] = values
        return grid[box].copy()

    core = crowded * np.exp(np.float32(0.5) * rough)
    decay = crowded * np.exp(np.float32(0.4) * lattice.sample(tumour.decay, anatomy.points))
    values = (density, visible, core, decay, patches, anatomy.fluid)
    return _Fields(box, geometry.spacing, *(in_box(v) for v in values), anatomy.brain[box])


def _box(mask: Mask) -> tuple[slice, ...]:
    """Bounding box with a margin of two voxels; two voxels at the origin for an empty mask."""
    found = ndimage.find_objects(mask.astype(np.uint8))
    box = found[0] if found else (slice(0, 1),) * 3
    return tuple(slice(max(s.start - 2, 0), min(s.stop + 2, n)) for s, n in zip(box, mask.shape, strict=True))


def _parts(tumour: Tumour, fields: _Fields) -> _Parts:
    """Core, rim and necrosis by grade; low-grade cores are part cystic and keep some of the tissue they infiltrate."""
    draw = tumour.draw
    whole = (fields.visible > VISIBLE_DENSITY) & (fields.fluid < 0.5)
    level = max(_quantile(fields.crowded[whole], 1 - draw.core_share), 1.0)
    core = _soft(fields.crowded, level) * fields.brain
    visible = np.maximum(_soft(fields.visible, VISIBLE_DENSITY) * fields.brain, core)
    inside = core > 0.5
    inner = np.zeros_like(core)
    enhancing = np.zeros_like(core)
    if draw.grade == "HGG":
        decay = fields.decay * np.clip(_depth(core, fields.spacing) / _RIM_MM, 0, 1)
        inner = np.minimum(core, _soft(decay, _quantile(decay[inside], draw.rim_share)))
        enhancing = core - inner
    elif draw.rim_share > 0:
        spots = fields.patches * inside
        enhancing = np.minimum(core, _soft(spots, _quantile(spots[inside], 1 - draw.rim_share)))
    if draw.grade == "HGG":
        necrosis = inner * np.clip(0.75 + 0.35 * fields.patches, 0.25, 1)
        return _Parts(core, enhancing, necrosis, visible, np.ones_like(core))
    cystic = (core - enhancing) * np.clip(0.25 + 0.3 * fields.patches, 0, 0.8)
    rise = np.clip(fields.crowded / max(2.5 * level, 1.0), 0, 1)
    return _Parts(core, enhancing, cystic, visible, 0.55 + 0.4 * rise)


def _depth(core: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Distance of each voxel of the core to its surface in millimetres; 0 outside."""
    depth: np.ndarray = ndimage.distance_transform_edt(core > 0.5, sampling=spacing_mm).astype(np.float32)
    return depth


def _wetness(density: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Share of a voxel's tissue that oedema replaces, more near the core and in white matter."""
    rise = np.clip((density - VISIBLE_DENSITY) / 0.4, 0, 1)
    return (np.float32(0.5) + np.float32(0.4) * rise) * (1 - anatomy.fluid) * (
        np.float32(0.6) + np.float32(0.4) * anatomy.white
    )


def _quantile(values: np.ndarray, share: float) -> float:
    """Quantile; 0 of no values."""
    return float(np.quantile(values, share)) if values.size else 0.0


def _soft(field: np.ndarray, level: float) -> np.ndarray:
    """Share of each voxel above a level, by the field's slope over one voxel."""
    slope = np.sqrt(sum(g * g for g in np.gradient(field)))
    above: np.ndarray = np.clip(0.5 + (field - np.float32(level)) / np.maximum(slope, np.float32(1e-6)), 0, 1)
    return above


def _lesion_labels(
    tumour: Tumour, fields: _Fields, core: np.ndarray, enhancing: np.ndarray, visible: np.ndarray
) -> np.ndarray:
    """Labels of the tumour: no holes, no specks, core within the whole."""
    whole = ((visible > 0.5) & (fields.fluid < 0.5)) | (core > 0.5)
    whole = ndimage.binary_fill_holes(_pieces(whole, 0.02)) & fields.brain
    inner = ndimage.binary_fill_holes(_pieces(core > 0.5, 0.05)) & whole
    bright = inner & (enhancing > 0.5 * core)
    if tumour.draw.grade == "HGG":
        bright |= inner & ~_pieces(inner & ~bright, 0.05)
    values = BRATS2017.labels
    labels = np.zeros(core.shape, dtype=np.uint8)
    labels[whole] = values["oedema"]
    labels[inner] = values["necrotic_core"]
    labels[bright] = values["enhancing"]
    return labels


def _pieces(mask: Mask, least_share: float) -> Mask:
    """Components that hold at least this share of the mask; the largest always."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    keep = sizes >= min(least_share * sizes.sum(), sizes.max())
    keep[0] = False
    kept: Mask = keep[pieces]
    return kept


def _complete(lesion: np.ndarray, anatomy: Anatomy, geometry: Geometry) -> LabelMap:
    """All seven classes: the tumour, and the commonest normal tissue of every other brain voxel."""
    values = COMPLETE.labels
    normal = np.array([values["white_matter"], values["grey_matter"], values["csf"]], dtype=np.uint8)
    complete = np.zeros(geometry.shape, dtype=np.uint8)
    complete[anatomy.brain] = normal[np.stack([anatomy.white, anatomy.grey, anatomy.fluid]).argmax(axis=0)]
    tumour = BRATS2017.table_to(COMPLETE)[lesion]
    return LabelMap(np.where(lesion > 0, tumour, complete), geometry, COMPLETE)
