"""Settings of drawn label maps, and the plan of a round: the host, lesion and distractor of each map.

A round is planned as a whole, from its seed and its number alone; any map can
then be drawn alone, in any order and by any process.
"""

from dataclasses import dataclass
from typing import Literal, Self, final

import numpy as np
from jaxtyping import Bool, Int64
from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.core import stream
from glioforge.lesions import MassEffectSpec, PlacementSpec

Range = tuple[float, float]


class HostSpec(Spec):
    """Brains that lesions are put into."""

    count: int = Field(60, ge=1)
    """Brains of a round: each is a source brain, mirrored or not, under a random diffeomorphism of its own."""
    warp_mm: Range = (2.0, 5.0)
    """Strength of the broad part of the warp: standard deviation of its velocity along each axis."""
    fine_warp: float = Field(0.25, ge=0)
    """Strength of the fine part, which varies gyri, as a share of the broad one."""
    scale: Range = (0.93, 1.0)
    """Smallest and largest size of the head along each axis; it never grows out of the grid."""
    outside_share: float = Field(0.5, ge=0, le=1)
    """Share of the brains that comes from healthy label maps, where such are given."""


class LesionSpec(Spec):
    """Lesions, and how they are varied."""

    grown_share: float = Field(0.5, ge=0, le=1)
    """Share of lesions that grow in the host's own white matter; the others come from the bank. More of them grow
    where the bank is so small that its lesions would be used too often."""
    growths: int = Field(4, ge=1)
    """Tumours that are grown in each host; each is used at many volumes, with outlines of its own."""
    volume_ml: Range = (1.0, 160.0)
    """Smallest and largest volume of a lesion. Grown ones take the volumes of the bank's lesions, varied."""
    volume_factor: Range = (0.5, 1.8)
    """Smallest and largest factor on the volume of a bank lesion."""
    turn_deg: float = Field(45.0, ge=0, le=180)
    """Largest angle by which a bank lesion is turned, about any axis."""
    bend_mm: Range = (1.5, 4.0)
    """Strength of the random bend of a bank lesion: standard deviation along each axis."""
    core_factor: Range = (0.6, 1.5)
    """Smallest and largest factor on the shares of tumour core and necrotic core."""
    mass_effect: MassEffectSpec | None = MassEffectSpec()
    """How lesions displace tissue; `strength` is the largest, drawn evenly from 0. None leaves the anatomy."""


class DistractorSpec(Spec):
    """Normal tissue and surgery that look like tumour; their labels are no lesion."""

    share: float = Field(0.15, ge=0, le=1)
    """Share of the maps that hold some."""
    kinds: tuple[Literal["cavity", "ventricle_caps", "vessel_spots"], ...] = (
        "cavity",
        "ventricle_caps",
        "vessel_spots",
    )
    """Kinds, of which each such map holds one: a fluid-filled resection cavity, bright caps of the ventricles' horns,
    and vessel-like spots."""

    @model_validator(mode="after")
    def _some_kind(self) -> Self:
        if self.share and not self.kinds:
            message = "a share of maps with distractors, and no kinds: name some, or set the share to 0"
            raise ValueError(message)
        return self


class LabelMapSpec(Spec):
    """What label maps are drawn."""

    hosts: HostSpec = HostSpec()
    """Brains."""
    lesions: LesionSpec = LesionSpec()
    """Lesions."""
    lesion_free: float = Field(0.2, ge=0, lt=1)
    """Share of the maps without any lesion."""
    distractors: DistractorSpec = DistractorSpec()
    """What looks like tumour and is none."""
    prior: Literal["learned", "lobes", "white_matter"] = "learned"
    """Where lesions lie: near places where lesions of the bank lie, by the frequency of lobes, or anywhere in white
    matter."""
    placement: PlacementSpec = PlacementSpec(attempts=60)
    """Placement constraints."""
    outside: bool = True
    """Use healthy label maps and tumour maps of other people, where such are given; false leaves them out, so that
    maps hold nothing that the training cases do not."""
    reuse: int = Field(20, ge=1)
    """Most maps of a round in which one host, one growth or one lesion of the bank has a part. A round is as many maps
    as hosts times this; then hosts and growths are drawn anew."""

    @property
    def round_size(self) -> int:
        """Number of maps of a round."""
        return self.hosts.count * self.reuse


Source = Literal["none", "bank", "grown"]


@final
@dataclass(frozen=True)
class Slot:
    """What one map is made of.

    Args:
        host: Number of the host within the round.
        source: Where its lesion comes from.
        lesion: Number of the bank's lesion, or of the host's growth; 0 without lesion.
        distractor: Kind of its distractor, if any.
    """

    host: int
    source: Source
    lesion: int
    distractor: str | None


@final
@dataclass(frozen=True, eq=False)
class Plan:
    """All maps of a round, by their number within it.

    Args:
        hosts: Host of each map.
        lesion_free: Maps without lesion.
        bank: Lesion of the bank in each map, -1 where it is none of the bank's.
        growth: Growth of the host in each map, of use where the lesion is grown.
        distractors: Distractor of each map, `None` where there is none.
    """

    hosts: Int64[np.ndarray, "map"]
    lesion_free: Bool[np.ndarray, "map"]
    bank: Int64[np.ndarray, "map"]
    growth: Int64[np.ndarray, "map"]
    distractors: tuple[str | None, ...]

    @classmethod
    def of(cls, spec: LabelMapSpec, bank: int, seed: int, round_number: int) -> "Plan":
        """Plan a round.

        Args:
            spec: Settings.
            bank: Lesions in the bank; 0 grows them all.
            seed: Seed of the engine.
            round_number: Number of the round, from 0.
        """
        rng = stream(seed, "label maps", "plan", round_number)
        size, count = spec.round_size, spec.hosts.count
        hosts = np.concatenate([rng.permutation(count) for _ in range(spec.reuse)])
        free = rng.random(size) < spec.lesion_free
        lesions = rng.permutation(np.flatnonzero(~free))
        taken = lesions[: min(round((1 - spec.lesions.grown_share) * len(lesions)), bank * spec.reuse)]
        chosen = np.full(size, -1, dtype=np.int64)
        # Numbers of the bank in turn, so that each is used equally often, up to one.
        chosen[taken] = rng.permutation(bank)[np.arange(len(taken)) % max(bank, 1)] if bank else -1
        growth = np.zeros(size, dtype=np.int64)
        grown = np.flatnonzero(~free & (chosen < 0))
        for host in range(count):
            own = grown[hosts[grown] == host]
            growth[own] = rng.permutation(spec.lesions.growths)[np.arange(len(own)) % spec.lesions.growths]
        has = rng.random(size) < spec.distractors.share
        kinds = rng.integers(max(len(spec.distractors.kinds), 1), size=size)
        distractors = tuple(spec.distractors.kinds[k] if h else None for h, k in zip(has, kinds, strict=True))
        return cls(hosts, free, chosen, growth, distractors)

    def slot(self, number: int) -> Slot:
        """What the map of a number within the round is made of."""
        host, bank = int(self.hosts[number]), int(self.bank[number])
        if self.lesion_free[number]:
            return Slot(host, "none", 0, self.distractors[number])
        if bank >= 0:
            return Slot(host, "bank", bank, self.distractors[number])
        return Slot(host, "grown", int(self.growth[number]), self.distractors[number])
