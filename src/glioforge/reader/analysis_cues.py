"""What gave images away: reasons that readers ticked, by method.

A reason is informative where it is ticked more often on synthetic images than
on real ones: a reason ticked as often on real images is a prejudice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from glioforge.reader.analysis_readings import REAL, Readings
from glioforge.reader.analysis_subjects import exchange_p
from glioforge.statistics import Interval, holm, wilson


@final
@dataclass(frozen=True)
class Cue:
    """How often a reason was ticked.

    Args:
        name: The reason.
        on_real: Share of the answers to real images.
        on_method: Share of the answers to each method's images, by method.
        p: Two-sided p of synthetic against real, subjects exchanged; Holm-corrected over reasons.
    """

    name: str
    on_real: Interval
    on_method: dict[str, Interval]
    p: float


def cue_table(readings: Readings, *, seed: int) -> tuple[Cue, ...]:
    """Count reasons by method, the most frequent on synthetic images first; empty where none was ticked.

    Args:
        readings: Answers of one-by-one kinds.
        seed: Of the tests.
    """
    ticked = [set(answer.cues) for answer in readings.answers]
    names = sorted(set().union(*ticked)) if ticked else []
    method, subjects = readings.column("method"), readings.column("subject")
    marks = {name: np.array([name in cues for cues in ticked]) for name in names}
    raw = np.array([exchange_p(readings.positive, marks[name], subjects, seed=seed) for name in names])
    found = [
        Cue(
            name,
            _share(marks[name], method == REAL),
            {one: _share(marks[name], method == one) for one in readings.methods},
            float(p),
        )
        for name, p in zip(names, holm(raw) if names else raw, strict=True)
    ]
    return tuple(sorted(found, key=lambda cue: (-_total(list(cue.on_method.values())), cue.name)))


def _share(marks: np.ndarray, chosen: np.ndarray) -> Interval:
    """Share of the chosen answers with the mark."""
    return wilson(int(marks[chosen].sum()), int(chosen.sum()))


def _total(shares: Sequence[Interval]) -> float:
    """Number of ticks in all."""
    return sum(share.estimate * share.count for share in shares if share.count)
