"""Intervals of a mean over subjects, by the bootstrap.

One unit of evidence is a subject.  Slices, regions and training seeds of one
subject are not independent of each other and never counted as more subjects.

Conventions
-----------
values      float64, `(subject, seed)`; NaN where a subject was not measured
            under a seed; a subject without any value is refused
interval    two-sided, at `level` (0.95 unless given)
few         below `ENOUGH_SUBJECTS` no two-sided sign-flip test can reach 5 %
            (2 / 2**5 = 0.0625), and even the range from the least to the
            greatest subject covers the median of all subjects with less than
            95 % (1 - 2 / 2**n), so there is no interval, and results are marked
            "too few to conclude"

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapters
13 and 14; Owen, The pigeonhole bootstrap (Annals of Applied Statistics 2007).
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.special import ndtr, ndtri

from glioforge.core.errors import CohortError
from glioforge.core.rng import stream

Values = Float64[np.ndarray, "subject seed"]
PerSubject = Float64[np.ndarray, "subject"]
Method = Literal["bca", "percentile"]

ENOUGH_SUBJECTS = 6
"""Fewest subjects with which a two-sided sign-flip test can fall below 5 %, and with which an interval is given."""


@final
@dataclass(frozen=True)
class Interval:
    """An estimate with its interval.

    Args:
        estimate: The number itself; NaN where there is nothing to estimate.
        low: Lower end; NaN where there is no interval.
        high: Upper end; NaN where there is no interval.
        level: Coverage asked for, in (0, 1).
        count: Subjects (or trials) behind it.
        note: What limits it, as a sentence fragment; empty if nothing does.
    """

    estimate: float
    low: float
    high: float
    level: float
    count: int
    note: str = ""

    @property
    def known(self) -> bool:
        """Whether both ends are numbers."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def excludes(self, value: float) -> bool:
        """Whether there is an interval and the value lies outside it."""
        return self.known and not self.low <= value <= self.high


def too_few(count: int, noun: str = "subject") -> str:
    """Say what so few subjects mean; empty from `ENOUGH_SUBJECTS` on.

    Example:
        >>> too_few(4)
        '4 subjects: too few to conclude'
        >>> too_few(1, "phantom")
        '1 phantom: too few to conclude'
        >>> too_few(30)
        ''
    """
    if count == 0:
        return f"no {noun}s"
    return f"{count} {noun}{'' if count == 1 else 's'}: too few to conclude" if count < ENOUGH_SUBJECTS else ""


def subject_means(values: Float[np.ndarray, "subject seed"]) -> PerSubject:
    """Mean over the seeds of each subject; empty for no subjects.

    Raises:
        CohortError: A subject has no value at all, or a value is infinite.

    Example:
        >>> subject_means(np.array([[0.5, 0.7], [0.9, np.nan]])).tolist()
        [0.6, 0.9]
    """
    matrix = np.asarray(values, dtype=np.float64)
    present = _present(matrix)
    return np.where(present, matrix, 0.0).sum(axis=1) / present.sum(axis=1)


def bootstrap_mean(
    values: Float[np.ndarray, "subject seed"],
    *,
    seed: int,
    level: float = 0.95,
    draws: int = 5000,
    method: Method = "bca",
) -> Interval:
    """Interval of the mean over subjects, with subjects and seeds both drawn anew.

    Each replicate draws subjects with replacement and, independently, the
    seeds with replacement.  A seed's network judges every subject, so one draw
    of seeds serves all subjects of a replicate (Owen 2007); drawing seeds
    apart for each subject would average the luck of a training away.

    Args:
        values: `(subject, seed)`; differences between two arms or plain values.
        seed: Of the replicates; the same seed gives the same interval.
        level: Coverage, in (0, 1).
        draws: Number of replicates.
        method: `bca` corrects bias and skewness, `percentile` does not.

    Returns:
        No interval, and a note, for fewer than `ENOUGH_SUBJECTS` subjects.

    Raises:
        CohortError: A subject has no value at all, or a value is infinite.
    """
    means = subject_means(values)
    count = len(means)
    if count < ENOUGH_SUBJECTS:
        return Interval(float(means.mean()) if count else np.nan, np.nan, np.nan, level, count, too_few(count))
    replicates = _replicates(np.asarray(values, dtype=np.float64), means, seed, draws)
    tail = (1 - level) / 2
    shares = np.array([tail, 1 - tail])
    if method == "bca":
        shares = _bca_shares(shares, replicates, means)
    low, high = np.quantile(replicates, shares)
    return Interval(float(means.mean()), float(low), float(high), level, count)


def _present(matrix: Values) -> Bool[np.ndarray, "subject seed"]:
    """Where there are values; refuses infinite ones and subjects without any."""
    if np.isinf(matrix).any():
        raise CohortError(
            f"{int(np.isinf(matrix).sum())} infinite values", "finite values", "give the metric an empty-case policy"
        )
    present = np.isfinite(matrix)
    lacking = np.flatnonzero(~present.any(axis=1))
    if len(lacking):
        raise CohortError(
            f"subjects without any value, at rows {lacking.tolist()[:20]}",
            "at least one seed a subject",
            "leave these subjects out of both arms, and say so",
        )
    return present


def _replicates(matrix: Values, means: PerSubject, seed: int, draws: int) -> Float64[np.ndarray, "draw"]:
    """Bootstrap means; a subject not measured under any drawn seed keeps its own mean."""
    rng = stream(seed, "bootstrap")
    subjects, seeds = matrix.shape
    weights = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=draws) / subjects
    if seeds == 1:
        return weights @ means
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws).astype(np.float64)
    present = np.isfinite(matrix)
    sums = drawn @ np.where(present, matrix, 0.0).T
    counts = drawn @ present.T.astype(np.float64)
    per_subject = np.where(counts > 0, sums / np.maximum(counts, 1), means)
    return np.einsum("ds,ds->d", weights, per_subject)


def _bca_shares(
    shares: Float64[np.ndarray, "2"], replicates: Float64[np.ndarray, "draw"], means: PerSubject
) -> Float64[np.ndarray, "2"]:
    """Quantiles corrected for bias and acceleration (Efron & Tibshirani 1993, equation 14.10)."""
    estimate = means.mean()
    deviations = estimate - means
    squares = (deviations**2).sum()
    if squares <= 1e-24 * max(1.0, estimate**2):
        return shares
    # Replicates equal to the estimate, frequent with few subjects or rounded metrics, count half on each side.
    ties = np.abs(replicates - estimate) <= 1e-9 * np.sqrt(squares)
    below = ((replicates < estimate) & ~ties).mean() + ties.mean() / 2
    bias = ndtri(np.clip(below, 1 / len(replicates), 1 - 1 / len(replicates)))
    # The jackknife's influence of subject s on a mean is (mean - x_s) / (n - 1), up to sign.
    acceleration = (-(deviations**3)).sum() / (6 * squares**1.5)
    moved = bias + ndtri(shares)
    return np.asarray(ndtr(bias + moved / (1 - acceleration * moved)), dtype=np.float64)
