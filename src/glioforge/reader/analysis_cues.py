"""What gave images away, by the reasons that readers ticked; and whether readers learn or tire.

A reason is informative where it is ticked more often on synthetic images than
on real ones: a reason ticked as often on real images is a prejudice.

Each reader sees the items in a random order of his own, so that without
learning or fatigue the order has nothing to do with which answers are right.
Mantel's trend test adds over readers how order and right answers go together,
with the variance that exchanging the order gives.

Source: Mantel, Journal of the American Statistical Association 58 (1963).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import ndtr

from glioforge.reader.analysis_readings import REAL, Readings
from glioforge.reader.analysis_rows import exchange_p
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


PARTS = 4
"""Parts of the session that are shown."""


@final
@dataclass(frozen=True)
class Trend:
    """Accuracy along the session.

    Args:
        parts: Accuracy in each quarter of the session, with Wilson's interval.
        seconds: Median time for an answer in each quarter; NaN where not measured.
        change: Accuracy of the second half minus that of the first.
        p: Two-sided p of a trend; NaN where nothing varies.
    """

    parts: tuple[Interval, ...]
    seconds: tuple[float, ...]
    change: float
    p: float

    @property
    def reading(self) -> str:
        """What it shows, in a word or two."""
        if not self.p < 0.05:
            return "no trend shown"
        return "better later on (learning)" if self.change > 0 else "worse later on (fatigue)"


def trend(
    correct: Float[np.ndarray, "answer"], order: Float[np.ndarray, "answer"], readers: np.ndarray, ms: np.ndarray
) -> Trend:
    """Accuracy by quarter of each reader's session, and a test of a trend.

    Args:
        correct: 1 right, 0 wrong.
        order: Place in the reader's session.
        readers: Reader of each answer.
        ms: Milliseconds taken; NaN where not measured.
    """
    place = np.zeros(len(order))
    for reader in np.unique(readers):
        mine = np.flatnonzero(readers == reader)
        ranks = np.empty(len(mine))
        ranks[np.argsort(order[mine], kind="stable")] = np.arange(len(mine))
        place[mine] = ranks / len(mine)
    parts = [np.floor(place * PARTS) == part for part in range(PARTS)]
    late = place >= 0.5
    halves = [correct[half].mean() if half.any() else np.nan for half in (late, ~late)]
    return Trend(
        tuple(wilson(int(correct[part].sum()), int(part.sum())) for part in parts),
        tuple(_median(ms[part]) / 1000 for part in parts),
        float(halves[0] - halves[1]),
        float(trend_p(correct, place, readers)),
    )


def trend_p(
    correct: Float[np.ndarray, "*batch answer"], order: Float[np.ndarray, "answer"], readers: np.ndarray
) -> Float64[np.ndarray, "*batch"]:
    """Two-sided p of Mantel's trend test, stratified by reader; NaN where nothing varies.

    Example:
        >>> right = np.repeat([0.0, 1.0], 20)
        >>> float(trend_p(right, np.arange(40.0), np.zeros(40))) < 1e-5
        True
    """
    score, variance = np.zeros(correct.shape[:-1]), np.zeros(correct.shape[:-1])
    for reader in np.unique(readers):
        mine = readers == reader
        x, y = order[mine] - order[mine].mean(), correct[..., mine]
        centred = y - y.mean(axis=-1, keepdims=True)
        score = score + centred @ x
        variance = variance + (x**2).sum() * (centred**2).sum(axis=-1) / max(int(mine.sum()) - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 0, 2 * ndtr(-np.abs(score) / np.sqrt(variance)), np.nan)


def _median(values: Float[np.ndarray, "answer"]) -> float:
    """Median of the finite values; NaN for none."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
