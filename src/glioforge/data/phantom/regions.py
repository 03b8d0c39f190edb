"""Compose a subject with a tumour: what every voxel is made of, and the label maps that follow from it.

The tumour has four parts: core, enhancing rim, necrosis and oedema.
Thresholds on fields become fractions of voxels by the field's own slope: a
voxel whose centre lies just on a border holds one half of each side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage

from glioforge.core import BRATS2017, COMPLETE, Geometry, LabelMap, Mask, bounding_box
from glioforge.data import VISIBLE_DENSITY, Field, Points, Values, visibility
from glioforge.data.phantom.anatomy import Anatomy, Flat
from glioforge.data.phantom.tumour import Tumour, TumourDraw

_RIM_MM = 4.0


@final
@dataclass(frozen=True, eq=False)
class TumourFields:
    """Fields of a tumour in a box of voxels; zero outside the brain.

    Args:
        box: The box, in voxels of the grid.
        spacing: Size of its voxels in millimetres.
        density: Density of tumour cells.
        visible: Density as T2 shows it.
        crowded: Days of crowding, roughened; its upper level sets are the core.
        decay: Days of crowding, roughened otherwise; its upper level sets within the core are dead.
        patches: Smooth random field.
        fluid: Fraction of cerebrospinal fluid.
        brain: Mask of the brain.
    """

    box: tuple[slice, ...]
    spacing: tuple[float, float, float]
    density: Field
    visible: Field
    crowded: Field
    decay: Field
    patches: Field
    fluid: Field
    brain: Mask


@final
@dataclass(frozen=True, eq=False)
class TumourParts:
    """Shares of the voxels of the box.

    Args:
        core: All of the tumour but oedema.
        enhancing: Enhancing tumour, within the core.
        necrosis: Dead or cystic tumour, within the core.
        visible: What T2 shows: core and oedema.
        solidity: How much of the core's tissue the tumour has replaced.
    """

    core: Field
    enhancing: Field
    necrosis: Field
    visible: Field
    solidity: Field


def tumour_fields(tumour: Tumour, anatomy: Anatomy, geometry: Geometry) -> TumourFields:
    """Sample a tumour at the voxels of a subject.

    Args:
        tumour: In atlas coordinates.
        anatomy: Displaced by the tumour already.
        geometry: Grid of the anatomy.
    """
    density, crowded, roughness, decay, patches = _sampled(tumour, anatomy.points)
    white = anatomy.white / np.maximum(anatomy.white + anatomy.grey, np.float32(0.2))
    visible = np.clip(density * np.exp(np.float32(0.3) * roughness), 0, 1) * visibility(white)
    grid = np.zeros(geometry.shape, dtype=np.float32)
    grid[anatomy.brain] = visible
    box = _box(grid > VISIBLE_DENSITY / 4)

    def in_box(values: Values) -> Field:
        grid[anatomy.brain] = values
        return grid[box].copy()

    return TumourFields(
        box=box,
        spacing=geometry.spacing,
        density=in_box(density),
        visible=in_box(visible),
        crowded=in_box(crowded * np.exp(np.float32(0.9) * roughness)),
        decay=in_box(crowded * np.exp(np.float32(0.4) * decay)),
        patches=in_box(patches),
        fluid=in_box(anatomy.fluid),
        brain=anatomy.brain[box],
    )


def tumour_parts(draw: TumourDraw, fields: TumourFields) -> TumourParts:
    """Divide a tumour by its grade.

    The core is the share of the visible tumour that has been crowded longest.
    In a high-grade core the longest crowded part is dead, behind a rim that is
    thin but nowhere missing.  A low-grade core keeps some of the tissue that it
    infiltrates, is cystic in places, and seldom enhances in a few spots.
    """
    whole = (fields.visible > VISIBLE_DENSITY) & (fields.fluid < 0.5)
    level = max(_quantile(fields.crowded[whole], 1 - draw.core_share), 1e-3)
    core = soft(fields.crowded, level) * fields.brain
    visible = np.maximum(soft(fields.visible, VISIBLE_DENSITY) * fields.brain, core)
    if draw.grade == "HGG":
        return _high_grade(draw, fields, core, visible)
    enhancing = np.zeros_like(core)
    if draw.rim_share > 0:
        spots = fields.patches * (core > 0.5)
        enhancing = np.minimum(core, soft(spots, _quantile(spots[core > 0.5], 1 - draw.rim_share)))
    cystic = (core - enhancing) * np.clip(np.float32(0.25) + np.float32(0.3) * fields.patches, 0, 0.8)
    rise = np.clip(fields.crowded / np.float32(2.5 * level), 0, 1)
    return TumourParts(core, enhancing, cystic, visible, np.float32(0.55) + np.float32(0.4) * rise)


def _high_grade(draw: TumourDraw, fields: TumourFields, core: Field, visible: Field) -> TumourParts:
    """A dead centre, not all of it fluid, in a rim."""
    depth = ndimage.distance_transform_edt(core > 0.5, sampling=fields.spacing).astype(np.float32)
    decay = fields.decay * np.clip(depth / np.float32(_RIM_MM), 0, 1)
    inner = np.minimum(core, soft(decay, _quantile(decay[core > 0.5], draw.rim_share)))
    fluid = np.clip(np.float32(0.75) + np.float32(0.35) * fields.patches, 0.25, 1)
    return TumourParts(core, core - inner, inner * fluid, visible, np.ones_like(core))


def _sampled(tumour: Tumour, points: Points) -> list[Values]:
    """Density, days of crowding, roughness, decay and patches at some points of the atlas."""
    lattice, grown = tumour.growth.lattice, tumour.growth
    bounded = [lattice.sample(values, points, outside=0.0) for values in (grown.density, grown.crowded_days)]
    return bounded + [lattice.sample(values, points) for values in (tumour.roughness, tumour.decay, tumour.patches)]


def _box(mask: Mask) -> tuple[slice, ...]:
    """Bounding box with a margin of two voxels; a corner of the grid for an empty mask."""
    return bounding_box(mask, 2) or tuple(slice(0, min(3, n)) for n in mask.shape)


def _quantile(values: Values, share: float) -> float:
    """Quantile; 0 of no values."""
    return float(np.quantile(values, share)) if values.size else 0.0


def soft(field: Field, level: float) -> Field:
    """Share of each voxel above a level, by the field's slope over one voxel."""
    slope = np.sqrt(sum(np.gradient(field, axis=axis) ** 2 for axis in range(3)))
    above: Field = np.clip(0.5 + (field - np.float32(level)) / np.maximum(slope, np.float32(1e-6)), 0, 1)
    return above


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


def compose(tumour: Tumour, anatomy: Anatomy, geometry: Geometry) -> Composition:
    """Put a tumour into an anatomy.

    Args:
        tumour: In atlas coordinates.
        anatomy: Displaced by the tumour already.
        geometry: Grid of the anatomy.
    """
    fields = tumour_fields(tumour, anatomy, geometry)
    parts = tumour_parts(tumour.draw, fields)

    def at_voxels(values: Field) -> Flat:
        grid = np.zeros(geometry.shape, dtype=np.float32)
        grid[fields.box] = values
        return grid[anatomy.brain]

    core, enhancing, necrosis = (
        at_voxels(part * parts.solidity) for part in (parts.core, parts.enhancing, parts.necrosis)
    )
    oedema = at_voxels(parts.visible) * _wetness(at_voxels(fields.density), anatomy) * (1 - core)
    fractions = {
        **_left_over(anatomy, core, oedema),
        "oedema": oedema,
        "enhancing": enhancing,
        "necrosis": necrosis,
        "non_enhancing": np.clip(core - enhancing - necrosis, 0, 1),
    }
    total = sum(fractions.values())
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    labels[fields.box] = _lesion_labels(tumour.draw.grade, fields, parts)
    return Composition(
        {name: part / total for name, part in fractions.items()},
        np.clip(np.float32(0.75) + np.float32(0.25) * at_voxels(fields.patches), 0.3, 1),
        _complete(labels, anatomy, geometry),
        LabelMap(labels, geometry, BRATS2017),
    )


def _left_over(anatomy: Anatomy, core: Flat, oedema: Flat) -> dict[str, Flat]:
    """Normal tissue and fluid in the room that core and oedema leave; oedema takes from tissue only."""
    tissue = anatomy.white + anatomy.grey
    room = np.clip((1 - core) * tissue - oedema, 0, 1) / np.maximum(tissue, np.float32(1e-6))
    return {"white_matter": anatomy.white * room, "grey_matter": anatomy.grey * room, "csf": anatomy.fluid * (1 - core)}


def _wetness(density: Flat, anatomy: Anatomy) -> Flat:
    """Share of a voxel that oedema takes: more near the core and in white matter, none of the fluid."""
    rise = np.clip((density - np.float32(VISIBLE_DENSITY)) / np.float32(0.4), 0, 1)
    soaked = np.float32(0.5) + np.float32(0.4) * rise
    return soaked * (1 - anatomy.fluid) * (np.float32(0.6) + np.float32(0.4) * anatomy.white)


def _lesion_labels(grade: str, fields: TumourFields, parts: TumourParts) -> UInt8[np.ndarray, "x y z"]:
    """Labels of the tumour in the box: no holes, no specks, core within the whole."""
    whole = ((parts.visible > 0.5) & (fields.fluid < 0.5)) | (parts.core > 0.5)
    whole = ndimage.binary_fill_holes(_pieces(whole, 0.02)) & fields.brain
    core = ndimage.binary_fill_holes(_pieces(parts.core > 0.5, 0.05)) & whole
    bright = core & (parts.enhancing > 0.5 * parts.core)
    if grade == "HGG":
        bright |= core & ~_pieces(core & ~bright, 0.05)
    values = BRATS2017.labels
    labels = np.zeros(core.shape, dtype=np.uint8)
    labels[whole] = values["oedema"]
    labels[core] = values["necrotic_core"]
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


def _complete(lesion: UInt8[np.ndarray, "x y z"], anatomy: Anatomy, geometry: Geometry) -> LabelMap:
    """All seven classes: the tumour, and the commonest normal tissue of every other brain voxel."""
    values = COMPLETE.labels
    normal = np.array([values["white_matter"], values["grey_matter"], values["csf"]], dtype=np.uint8)
    complete = np.zeros(geometry.shape, dtype=np.uint8)
    complete[anatomy.brain] = normal[np.stack([anatomy.white, anatomy.grey, anatomy.fluid]).argmax(axis=0)]
    tumour = BRATS2017.table_to(COMPLETE)[lesion]
    return LabelMap(np.where(lesion > 0, tumour, complete), geometry, COMPLETE)
