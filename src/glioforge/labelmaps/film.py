"""A tumour at rising volumes in one brain: the same growth, the same outline, more and more of it."""

from collections.abc import Iterable, Sequence

from glioforge.core import LabelMap, stream
from glioforge.labelmaps.growths import GrownTumour, grown_lesion
from glioforge.labelmaps.hosts import Host
from glioforge.labelmaps.lesion import implanted, in_few_pieces
from glioforge.lesions import MassEffectSpec


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
