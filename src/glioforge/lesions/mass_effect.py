"""Growth displaces tissue: a push away from the lesion that decays with distance.

Every voxel outside the new lesion takes its label from a point nearer to the
lesion.  The push starts at the lesion's border and falls to zero over the
reach, along the gradient of the smoothed distance from the lesion, so that
tissue in between is squeezed and ventricles give way.  Displacements are
computed on a lattice; where their Jacobian would come near zero they are made
smaller, so the map never folds.  The skull does not move: a voxel whose source
is no normal tissue keeps its label.

Source: the radial model of growth in Foroozandeh & Eklund's future work and in
the usual tumour-growth simulators, with a distance field in place of a radius.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int, UInt8
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import Box
from glioforge.lesions.displacement import Displacement
from glioforge.lesions.graft import clip_box
from glioforge.lesions.level_set import signed_distance
from glioforge.lesions.patch import LesionPatch, counts_of, is_fluid, is_lesion, relative_to

_LATTICE_MM = 4.0
_SMOOTHING_MM = 4.0


class MassEffectSpec(Spec):
    """How much of a lesion's growth displaces tissue, and how far."""

    strength: float = Field(0.4, ge=0, le=1)
    """Share of the growth in radius by which the border pushes; the rest infiltrates."""
    reach_mm: float = Field(25.0, gt=0)
    """Distance from the lesion at which the push has died away."""
    oedema_share: float = Field(0.3, ge=0, le=1)
    """Share of the oedema's volume that counts as mass; the core counts in full."""
    fluid_yield: float = Field(0.7, ge=0, le=1)
    """How far fluid gives way: 0 shifts ventricles and furrows as tissue, at 1 their far wall stays where it is."""


def push_mm(lesion: LesionPatch, before: UInt8[np.ndarray, "a b c"], spec: MassEffectSpec) -> float:
    """Length of the push at the lesion's border: a share of the growth of the equivalent radius.

    Args:
        lesion: The new lesion.
        before: Labels that stood in its box before; lesion there is no growth.
        spec: Strength and what counts as mass.
    """
    voxel = float(np.prod(lesion.spacing))
    kept = np.where(is_lesion(before), lesion.voxels, 0).astype(np.uint8)
    radii = [_radius(_mass(part, spec.oedema_share) * voxel) for part in (lesion.voxels, kept)]
    return spec.strength * (radii[0] - radii[1])


def displace(voxels: UInt8[np.ndarray, "i j k"], lesion: LesionPatch, push: float, spec: MassEffectSpec) -> None:
    """Push the tissue around a lesion outwards, in place; a push of 0 changes nothing.

    Args:
        voxels: Labels without the new lesion; other lesions stay where they are.
        lesion: The new lesion.
        push: Length of the push at its border in mm.
        spec: Reach of the push.
    """
    if push <= 0:
        return
    box = _reach_box(lesion, spec.reach_mm, voxels.shape)
    field = displacement(lesion, box, push, spec.reach_mm)
    block = voxels[box].copy()
    vectors = field.voxels(block.shape)
    moves = (np.abs(vectors) >= 0.5).any(axis=0) & (block > 0) & ~is_lesion(block)
    _, inner = clip_box(lesion.start, lesion.voxels.shape, voxels.shape)
    moves[relative_to(lesion.box, box)] &= ~lesion.mask[inner]
    places, ways = np.array(np.nonzero(moves)), vectors[:, moves]
    here, found = block[moves], _labels_at(block, places, ways)
    # Fluid is squeezed out rather than pushed along: looking up a shorter way lets the far wall of a ventricle stay.
    filled = is_fluid(found) & ~is_fluid(here)
    found[filled] = _labels_at(block, places[:, filled], ways[:, filled] * (1 - spec.fluid_yield))
    # Background and other lesions are never drawn into the brain; the voxel keeps what it has.
    usable = (found > 0) & ~is_lesion(found)
    voxels[box][tuple(places[:, usable])] = found[usable]


def _labels_at(
    block: UInt8[np.ndarray, "i j k"], places: Int[np.ndarray, "3 n"], ways: Float64[np.ndarray, "3 n"]
) -> UInt8[np.ndarray, "n"]:
    """Labels so many voxels away from some places, at the border of the block at most."""
    limits = np.array(block.shape)[:, None] - 1
    return np.asarray(block[tuple(np.clip(places + np.rint(ways).astype(np.int64), 0, limits))])


def displacement(lesion: LesionPatch, box: Box, push: float, reach_mm: float) -> Displacement:
    """Displacement around a lesion on a box of its map, that does not fold."""
    shape = tuple(side.stop - side.start for side in box)
    steps = [max(1, round(_LATTICE_MM / s)) for s in lesion.spacing]
    lattice = tuple(np.arange(0, n + t - 1, t, dtype=np.float64) for n, t in zip(shape, steps, strict=True))
    mask = _on_lattice(lesion, box, lattice)
    spacing = tuple(s * t for s, t in zip(lesion.spacing, steps, strict=True))
    distance = -signed_distance(mask, (spacing[0], spacing[1], spacing[2])).astype(np.float64)
    smooth = ndimage.gaussian_filter(distance, [_SMOOTHING_MM / s for s in spacing], mode="nearest")
    slopes = [
        np.gradient(smooth, s, axis=a) if smooth.shape[a] > 1 else np.zeros_like(smooth) for a, s in enumerate(spacing)
    ]
    away = np.clip(distance / reach_mm, 0, 1)
    # The cubic with flat ends (1 at the border, 0 at the reach): its slope is at most 1.5 push / reach.
    decay = push * (1 - away) ** 2 * (1 + 2 * away)
    # Towards the middle of the lesion the push fades, so that the field is continuous where all directions meet.
    inside = np.clip(1 + distance / max(-float(distance.min()), 1e-6), 0, 1)
    return Displacement(-np.stack(slopes) * (decay * inside), lattice, lesion.spacing).unfolded()


def _mass(voxels: UInt8[np.ndarray, "a b c"], oedema_share: float) -> float:
    """Count the voxels that act as mass; a cavity, where tissue was taken out, is none."""
    whole, core, _, *cavity = counts_of(voxels)
    return core + oedema_share * (whole - core - sum(cavity))


def _radius(volume_mm3: float) -> float:
    """Radius of the ball of a volume."""
    return float((3 * volume_mm3 / (4 * np.pi)) ** (1 / 3))


def _reach_box(lesion: LesionPatch, reach_mm: float, shape: tuple[int, ...]) -> Box:
    """Box of the grid that the push can reach."""
    i, j, k = (
        slice(max(0, side.start - int(np.ceil(reach_mm / s)) - 1), min(n, side.stop + int(np.ceil(reach_mm / s)) + 1))
        for side, s, n in zip(lesion.box, lesion.spacing, shape, strict=True)
    )
    return i, j, k


def _on_lattice(lesion: LesionPatch, box: Box, lattice: tuple[np.ndarray, ...]) -> Bool[np.ndarray, "a b c"]:
    """Lesion mask at the lattice points; the point nearest to the centre always belongs to it."""
    starts = [side.start for side in box]
    lines = [line.astype(np.int64) + s - t for line, s, t in zip(lattice, starts, lesion.start, strict=True)]
    mask = np.zeros([len(line) for line in lines], dtype=bool)
    there = [(line >= 0) & (line < n) for line, n in zip(lines, lesion.voxels.shape, strict=True)]
    mask[np.ix_(*there)] = lesion.mask[np.ix_(*(line[t] for line, t in zip(lines, there, strict=True)))]
    centre = [int(np.argmin(np.abs(line + s - c))) for line, s, c in zip(lattice, starts, lesion.centre, strict=True)]
    # A lesion smaller than the lattice would otherwise displace nothing.
    mask[tuple(centre)] = True
    return mask
