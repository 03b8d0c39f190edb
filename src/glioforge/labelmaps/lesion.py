"""A lesion in a host: of the bank, varied and placed by the prior, or grown there; with its mass effect.

Lesions of the bank may be turned, scaled, mirrored, bent and have other shares of their parts.
A film is a tumour at rising volumes in one brain: the same growth and outline, more and more of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glioforge.core import EditError, Geometry, LabelMap, stream
from glioforge.labelmaps.growths import GrownTumour, grown_lesion
from glioforge.labelmaps.hosts import Host, outermost
from glioforge.labelmaps.prior import Prior
from glioforge.labelmaps.spec import LabelMapSpec, LesionSpec, Source
from glioforge.lesions import (
    CAVITY,
    CORE,
    ENHANCING,
    MARGIN_MM,
    NECROTIC,
    OEDEMA,
    Counts,
    Displacement,
    Donor,
    Graft,
    LesionPatch,
    MassEffectSpec,
    Window,
    draw_offset,
    fitted,
    implant,
    is_fluid,
    scaled_counts,
    tight_patch,
)

_VARIANTS = 4
_LEAST_PIECE = 0.03


@final
@dataclass(frozen=True, eq=False)
class Placed:
    """A host's map with its lesion.

    Args:
        labels: The map.
        kind: Where the lesion comes from.
        donor: Case id of the bank's lesion, if it is one.
        subjects: People behind that.
    """

    labels: LabelMap
    kind: Source
    donor: str | None
    subjects: tuple[str, ...] = ()


def bank_lesion(host: Host, donor: Donor, prior: Prior, spec: LabelMapSpec, rng: np.random.Generator) -> Placed:
    """Put a varied lesion of the bank where the prior says; smaller ones are tried where no place is valid.

    Raises:
        EditError: None of several variants found a place.
    """
    settings, reason = spec.lesions, EditError("no lesion", "one that fits")
    for _ in range(_VARIANTS):
        lesion = varied(donor, host.labels.geometry, settings, rng)
        try:
            placed = _at_a_place(host, lesion, prior, spec, rng)
            labels = implanted(host, placed, _mass_effect(spec, rng))
            return Placed(labels, "bank", donor.case_id, donor.subjects)
        except EditError as error:
            reason = error
            settings = _smaller(settings, lesion.volume_mm3 / 1000)
    raise reason


def host_lesion(
    host: Host, growth: GrownTumour, bank: Sequence[Donor], spec: LabelMapSpec, rng: np.random.Generator
) -> Placed:
    """Put a tumour that grew in the host into it, at a volume and with shares like those of the bank's lesions.

    Raises:
        EditError: It finds no room, however small.
    """
    geometry, settings, reason = host.labels.geometry, spec.lesions, EditError("no lesion", "one that fits")
    for _ in range(_VARIANTS):
        counts = learned_counts(tuple(bank), geometry.voxel_volume / 1000, settings, rng)
        try:
            lesion = in_few_pieces(grown_lesion(growth, counts, geometry.spacing, rng).settle(host.labels.voxels))
            labels = implanted(host, lesion, _mass_effect(spec, rng))
            return Placed(labels, "grown", None)
        except EditError as error:
            reason = error
            settings = _smaller(settings, counts[0] * geometry.voxel_volume / 1000)
    raise reason


def _smaller(settings: LesionSpec, volume_ml: float) -> LesionSpec:
    """Settings whose lesions are at most half as large as a volume, as far as the smallest allows."""
    low, high = settings.volume_ml
    return settings.model_copy(update={"volume_ml": (low, min(max(0.5 * volume_ml, low), high))})


def _at_a_place(
    host: Host, lesion: LesionPatch, prior: Prior, spec: LabelMapSpec, rng: np.random.Generator
) -> LesionPatch:
    """The lesion at a valid place; it starts on the lattice on which places are searched."""
    steps = host.places.coarse.steps
    middle = [n / 2 - size / 2 for n, size in zip(host.labels.voxels.shape, lesion.voxels.shape, strict=True)]
    i, j, k = (int(round(m / step) * step) for m, step in zip(middle, steps, strict=True))
    here = LesionPatch(lesion.voxels, (i, j, k), lesion.spacing)
    weights = partial(_weights, prior, host)
    return here.moved(draw_offset(host.places, here, spec.placement, Window(), rng, weights))


def _weights(prior: Prior, host: Host, voxels: np.ndarray) -> np.ndarray:
    """Weights of places given in voxels of the host."""
    return prior.weights(host.frame.fractions(voxels))


def implanted(host: Host, lesion: LesionPatch, mass_effect: MassEffectSpec | None) -> LabelMap:
    """Return the host's map with a lesion and its mass effect; fluid that bounds the brain stays where no lesion is.

    That layer is often one voxel thick, and a push by nearest voxels would lay grey matter bare over the whole reach.
    """
    before = host.labels.voxels
    labels = implant(host.labels, before.copy(), lesion, mass_effect)
    kept = outermost(before) & is_fluid(before) & ~labels.lesion
    return labels.with_voxels(np.where(kept, before, labels.voxels))


def _mass_effect(spec: LabelMapSpec, rng: np.random.Generator) -> MassEffectSpec | None:
    """Mass effect of a drawn strength; the draw is made in any case, so that streams stay in step."""
    share = float(rng.random())
    chosen = spec.lesions.mass_effect
    return None if chosen is None else chosen.model_copy(update={"strength": chosen.strength * share})


def in_few_pieces(lesion: LesionPatch) -> LesionPatch:
    """Return a lesion without holes and specks: small pieces are tissue again, small pieces of core are oedema."""
    voxels = np.pad(lesion.voxels, 1)
    whole = ndimage.binary_fill_holes(_large(voxels > 0))
    core = ndimage.binary_fill_holes(_large(np.isin(voxels, CORE) & whole))
    filled = np.where(whole & (voxels == 0), np.uint8(OEDEMA), voxels)
    dead = filled == NECROTIC
    inner = np.uint8(NECROTIC if dead.any() else ENHANCING)
    filled = np.where(core & ~np.isin(filled, CORE) & (filled != CAVITY), inner, filled)
    filled = np.where(np.isin(filled, CORE) & ~core, np.uint8(OEDEMA), filled)
    kept: UInt8[np.ndarray, "a b c"] = np.where(whole, filled, np.uint8(0)).astype(np.uint8)
    i, j, k = (first - 1 for first in lesion.start)
    return tight_patch(kept, (i, j, k), lesion.spacing)


def _large(mask: Bool[np.ndarray, "a b c"]) -> Bool[np.ndarray, "a b c"]:
    """Pieces that hold a share of the mask; the largest always."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    keep = sizes >= min(_LEAST_PIECE * sizes.sum(), sizes.max())
    return np.asarray(keep[pieces])


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


def growing(
    host: Host,
    tumour: GrownTumour,
    volumes_ml: Iterable[float],
    *,
    shares: tuple[float, float] = (0.45, 0.5),
    mass_effect: MassEffectSpec | None = None,
    seed: int = 1,
) -> Sequence[LabelMap]:
    """Return the map of a host for each volume of a tumour that grew in it.

    Args:
        host: The brain.
        tumour: Its growth (`growths.grown_tumour`).
        volumes_ml: Volumes; 0 gives the brain without it.
        shares: Share of tumour core in the lesion, and of necrosis in the core.
        mass_effect: How it displaces tissue; not at all unless given.
        seed: Seed of its outline, which is one for all volumes.

    Raises:
        EditError: It finds no room.
    """
    geometry, maps = host.labels.geometry, []
    for volume in volumes_ml:
        whole = round(volume * 1000 / geometry.voxel_volume)
        if not whole:
            maps.append(host.labels)
            continue
        core = max(round(whole * shares[0]), 1)
        counts = (whole, core, round(core * shares[1]))
        graft = grown_lesion(tumour, counts, geometry.spacing, stream(seed, "growing tumour"))
        lesion = in_few_pieces(graft.settle(host.labels.voxels))
        maps.append(implanted(host, lesion, mass_effect))
    return maps
