"""Which host, lesion and distractor each map of a round has, so that none is used too often.

A round is planned as a whole, from its seed and its number alone; any map can
then be drawn alone, in any order and by any process.
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Int64

from glioforge.core import stream
from glioforge.labelmaps.spec import LabelMapSpec

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
