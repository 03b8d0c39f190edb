"""A lesion in a host: of the bank, varied and placed by the prior, or grown there; with its mass effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from glioforge.core import EditError, LabelMap
from glioforge.labelmaps.growths import GrownTumour, grown_lesion
from glioforge.labelmaps.hosts import Host, outermost
from glioforge.labelmaps.plan import Source
from glioforge.labelmaps.prior import Prior
from glioforge.labelmaps.spec import LabelMapSpec, LesionSpec
from glioforge.labelmaps.variants import learned_counts, varied
from glioforge.lesions import (
    CAVITY,
    CORE,
    ENHANCING,
    NECROTIC,
    OEDEMA,
    Donor,
    LesionPatch,
    MassEffectSpec,
    Window,
    draw_offset,
    is_fluid,
    tight_patch,
)
from glioforge.lesions.implant import implant

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
