"""What a reader's calls say: accuracy, discrimination, bias, and equivalence with chance.

A call is `real` or `synthetic`, so that four counts hold everything.  Accuracy
alone misleads: a reader who calls nearly everything synthetic is right half of
the time whatever the images are.  Sensitivity and bias are therefore reported
apart (d' and criterion), the test of discrimination does not depend on the
bias, and equivalence is only concluded where the reader could have failed it.

Conventions
-----------
signal     `synthetic`; a hit is a synthetic image called synthetic, a false
           alarm a real image called synthetic
d'         z(hit rate) - z(false alarm rate); 0 is no discrimination
criterion  -(z(hit rate) + z(false alarm rate)) / 2; negative is a bias towards
           the answer `synthetic`
counts     one item per subject; answers on several items of one subject go
           through `analysis_subjects`

Sources: Green & Swets, Signal Detection Theory and Psychophysics (1966); Hautus,
Behavior Research Methods 27 (1995) for the log-linear correction; Gourevitch &
Galanter, Psychometrika 32 (1967) for the variance of d'.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import stats
from scipy.special import ndtri

from glioforge.core import CohortError
from glioforge.statistics import Interval, binomial_p, equivalence_p, wilson

ROOM_FOR_BIAS = 2.0
"""Equivalence is concluded only where the share of calls would allow an accuracy this many margins from chance."""


@final
@dataclass(frozen=True)
class Counts:
    """Calls against truth.

    Args:
        real_as_real: Real images called real.
        real_as_synthetic: Real images called synthetic (false alarms).
        synthetic_as_real: Synthetic images called real (misses).
        synthetic_as_synthetic: Synthetic images called synthetic (hits).

    Raises:
        CohortError: A count is negative.

    Example:
        >>> flair = Counts(12, 38, 8, 42)
        >>> flair.accuracy, round(flair.dprime, 2), round(flair.criterion, 2), flair.said_synthetic
        (0.54, 0.28, -0.83, 0.8)
    """

    real_as_real: int
    real_as_synthetic: int
    synthetic_as_real: int
    synthetic_as_synthetic: int

    def __post_init__(self) -> None:
        if min(self.cells) < 0:
            raise CohortError(f"counts of answers {self.cells}", "counts of at least 0")

    @property
    def cells(self) -> tuple[int, int, int, int]:
        """The four counts in the order of the published confusion tables."""
        return (self.real_as_real, self.real_as_synthetic, self.synthetic_as_real, self.synthetic_as_synthetic)

    @property
    def real(self) -> int:
        """Real images shown."""
        return self.real_as_real + self.real_as_synthetic

    @property
    def synthetic(self) -> int:
        """Synthetic images shown."""
        return self.synthetic_as_real + self.synthetic_as_synthetic

    @property
    def trials(self) -> int:
        """Images shown."""
        return self.real + self.synthetic

    @property
    def correct(self) -> int:
        """Images called what they are."""
        return self.real_as_real + self.synthetic_as_synthetic

    @property
    def accuracy(self) -> float:
        """Share of right calls; NaN without any."""
        return self.correct / self.trials if self.trials else float("nan")

    @property
    def misclassified(self) -> float:
        """Share of wrong calls; NaN without any."""
        return 1 - self.accuracy

    @property
    def said_synthetic(self) -> float:
        """Share of images called synthetic; NaN without any."""
        return (self.real_as_synthetic + self.synthetic_as_synthetic) / self.trials if self.trials else float("nan")

    @property
    def dprime(self) -> float:
        """Sensitivity d' with log-linear correction; NaN where one kind of image is missing."""
        return float(_z_rates(self)[0] - _z_rates(self)[1])

    @property
    def criterion(self) -> float:
        """Criterion c with log-linear correction; NaN where one kind of image is missing."""
        return float(-(_z_rates(self)[0] + _z_rates(self)[1]) / 2)

    def __add__(self, other: "Counts") -> "Counts":
        """Counts of both sets of answers."""
        return Counts(*(a + b for a, b in zip(self.cells, other.cells, strict=True)))


@final
@dataclass(frozen=True)
class Detection:
    """What one set of calls shows.

    Args:
        counts: Calls against truth.
        accuracy: Share of right calls with Wilson's interval.
        p_chance: Exact two-sided p of the accuracy against one half.
        p_discrimination: Fisher's exact p of calls against truth; free of the reader's bias.
        p_bias: Exact two-sided p of the share of calls `synthetic` against the share of synthetic images.
        dprime: d' with its interval.
        criterion: Criterion c.
        margin: Equivalence margin on the accuracy.
        p_equivalence: Larger p of the two exact one-sided tests against chance - margin and chance + margin.
        room: Whether the share of calls leaves room for an accuracy well outside the margin.
    """

    counts: Counts
    accuracy: Interval
    p_chance: float
    p_discrimination: float
    p_bias: float
    dprime: Interval
    criterion: float
    margin: float
    p_equivalence: float
    room: bool


def detect(counts: Counts, margin: float, *, level: float = 0.95) -> Detection:
    """Describe and test one set of calls, of one item per subject.

    Args:
        counts: Calls against truth; without any call all numbers are NaN and p values 1.
        margin: Equivalence margin on the accuracy, in (0, 0.5).
        level: Coverage of intervals.

    Raises:
        CohortError: The margin is out of range.
    """
    share = counts.synthetic / counts.trials if counts.trials else 0.5
    called = counts.real_as_synthetic + counts.synthetic_as_synthetic
    return Detection(
        counts,
        wilson(counts.correct, counts.trials, level),
        binomial_p(counts.correct, counts.trials),
        fisher_p(counts),
        binomial_p(called, counts.trials, share) if 0 < share < 1 else 1.0,
        dprime_interval(counts, level),
        counts.criterion,
        margin,
        equivalence_p(counts.correct, counts.trials, margin),
        leaves_room(counts, margin),
    )


def fisher_p(counts: Counts) -> float:
    """Fisher's exact two-sided p that calls do not depend on truth; 1 where one kind of image is missing.

    Conditional on how often the reader said `synthetic`, so that a bias is no discrimination.

    Example:
        >>> round(fisher_p(Counts(12, 38, 8, 42)), 2)
        0.45
    """
    if not (counts.real and counts.synthetic):
        return 1.0
    table = np.reshape(counts.cells, (2, 2))
    return float(min(1.0, stats.fisher_exact(table).pvalue))


def dprime_interval(counts: Counts, level: float = 0.95) -> Interval:
    """Return d' with its large-sample interval (Gourevitch & Galanter 1967); NaN where one kind of image is missing."""
    if not (counts.real and counts.synthetic):
        return Interval(np.nan, np.nan, np.nan, level, counts.trials, "one kind of image is missing")
    rates = np.array(_rates(counts))
    sizes = np.array([counts.synthetic + 1, counts.real + 1])
    variance = (rates * (1 - rates) / (sizes * stats.norm.pdf(ndtri(rates)) ** 2)).sum()
    half = float(ndtri(0.5 + level / 2) * np.sqrt(variance))
    return Interval(counts.dprime, counts.dprime - half, counts.dprime + half, level, counts.trials)


def leaves_room(counts: Counts, margin: float) -> bool:
    """Whether the bias leaves room for an accuracy of twice the margin from chance.

    With as many real as synthetic images, a reader who says `synthetic` in a share
    q of them has an accuracy within min(q, 1 - q) of one half whatever is shown.
    Where this is small, accuracy is within the margin by the bias alone, and
    equivalence would be concluded from nothing.

    Example:
        >>> leaves_room(Counts(12, 38, 8, 42), 0.1), leaves_room(Counts(2, 48, 1, 49), 0.1)
        (True, False)
    """
    share = counts.said_synthetic
    return bool(min(share, 1 - share) + 1e-12 >= ROOM_FOR_BIAS * margin)


def _rates(counts: Counts) -> tuple[float, float]:
    """Hit and false alarm rate with half a trial added to each cell (Hautus 1995)."""
    return (
        (counts.synthetic_as_synthetic + 0.5) / (counts.synthetic + 1),
        (counts.real_as_synthetic + 0.5) / (counts.real + 1),
    )


def _z_rates(counts: Counts) -> tuple[float, float]:
    """Corrected rates on the scale of the normal distribution; NaN where one kind of image is missing."""
    if not (counts.real and counts.synthetic):
        return (float("nan"), float("nan"))
    hit, alarm = ndtri(_rates(counts))
    return float(hit), float(alarm)
