"""A subject with a tumour: what every voxel is made of, and the label maps that follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.core.volume import Mask
from glioforge.data.phantom.anatomy import Anatomy, Flat
from glioforge.data.phantom.growth import VISIBLE_DENSITY
from glioforge.data.phantom.lattice import Field
from glioforge.data.phantom.parts import TumourFields, TumourParts, tumour_fields, tumour_parts
from glioforge.data.phantom.tumour import Tumour


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
