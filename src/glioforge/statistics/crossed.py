"""Mean paired difference over trainings and subjects, both of which are drawn: its interval and its p.

Every training judges every subject, so trainings and subjects are crossed, and
the mean has two kinds of luck: other subjects, and other trainings.  Both are
in the interval.

Conventions
-----------
table       float64, `(draw, generator, segmenter, subject)`: arm minus reference
            on the same draw of training subjects, seed of the generator, seed
            of the segmenter and test subject; NaN where not measured
factor      what varies at random with levels that stand for others.  With
            several draws: draws, and subjects; the seeds of a draw are averaged,
            because they belong to it.  With one draw: generators and segmenters,
            crossed, where there are several, and subjects; the interval is then
            that of this draw of training subjects
t           error: square root of the summed variances of the factors' means;
            degrees of freedom by Satterthwaite, or by Cochran where a factor has
            fewer than `ENOUGH_RUNS` levels, with which Satterthwaite's are too
            many.  The interaction of trainings and subjects is in each factor's
            variance, so the error is rather too large where trainings hardly vary
bootstrap   levels of every factor drawn with replacement, independently; BCa

Source: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007);
Cameron, Gelbach & Miller, Journal of Business & Economic Statistics 29 (2011)
for variances of several clusterings; Satterthwaite, Biometrics Bulletin 2 (1946);
Cochran, Biometrics 20 (1964) for quantiles weighted by variances; Efron & Tibshirani (1993), equation 14.10, for BCa.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, final

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from glioforge.core import CohortError, stream
from glioforge.statistics.intervals import ENOUGH_SUBJECTS, Interval, require_values, too_few

Table = Float64[np.ndarray, "draw generator segmenter subject"]
Method = Literal["t", "bootstrap"]

REPLICATES: Final = 2000
"""Bootstrap replicates of a mean."""
ENOUGH_RUNS: Final = 5
"""Levels of a factor from which on Satterthwaite's degrees of freedom are used."""
ENOUGH_FOR_BOOTSTRAP: Final = 60
"""Fewest subjects with which the bootstrap is chosen, where only subjects vary."""


@final
@dataclass(frozen=True)
class Factor:
    """What varies at random.

    Args:
        name: `draw`, `generator`, `segmenter` or `subject`.
        levels: How many of them there are, at least 2.
        variance: Variance of the mean that these levels explain.
    """

    name: str
    levels: int
    variance: float


@final
@dataclass(frozen=True, eq=False)
class Estimate:
    """A mean with what its intervals and tests are made from.

    Args:
        value: The mean over subjects of each one's mean over trainings.
        method: How intervals and tests are made.
        subjects: Subjects behind it.
        factors: What varies; of `t` their variances add up.
        replicates: Sorted bootstrap means; empty for `t`.
        bias: BCa's correction of bias; 0 for `t`.
        acceleration: BCa's correction of skewness; 0 for `t`.
    """

    value: float
    method: Method
    subjects: int
    factors: tuple[Factor, ...]
    replicates: Float64[np.ndarray, "replicate"]
    bias: float = 0.0
    acceleration: float = 0.0

    @property
    def error(self) -> float:
        """Standard error from the variances of the factors; NaN without any."""
        return float(np.sqrt(sum(factor.variance for factor in self.factors))) if self.factors else float("nan")

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error, see the conventions; those of the subjects where nothing varies."""
        variances = np.array([factor.variance for factor in self.factors])
        degrees = np.array([factor.levels - 1.0 for factor in self.factors])
        if variances.sum() <= 0:
            return float(max(self.subjects - 1, 0))
        if len(degrees) == 1 or degrees.min() + 1 >= ENOUGH_RUNS:
            return float(variances.sum() ** 2 / (variances**2 / degrees).sum())
        weighted = float((variances * stdtrit(degrees, 0.975)).sum() / variances.sum())
        return _freedom_of(weighted)

    def interval(self, level: float = 0.95) -> Interval:
        """Two-sided interval; none, and a note, for fewer than `ENOUGH_SUBJECTS` subjects."""
        if self.subjects < ENOUGH_SUBJECTS:
            return Interval(self.value, np.nan, np.nan, level, self.subjects, too_few(self.subjects))
        low, high = self._ends((1 - level) / 2)
        return Interval(self.value, low, high, level, self.subjects)

    def p_above(self, value: float = 0.0) -> float:
        """One-sided p of the hypothesis that the true mean is at most `value`; NaN for fewer than two subjects."""
        if self.subjects < 2:
            return float("nan")
        if self.error <= 1e-12 * abs(self.value):
            return _certain(self.value, value)
        if self.method == "bootstrap":
            return self._bootstrap_p(value)
        return float(stdtr(self.freedom, (value - self.value) / self.error))

    def p_below(self, value: float = 0.0) -> float:
        """One-sided p of the hypothesis that the true mean is at least `value`; NaN for fewer than two subjects."""
        return 1 - self.p_above(value)

    def p(self, value: float = 0.0) -> float:
        """Two-sided p of the hypothesis that the true mean is `value`; agrees with the 95 % interval."""
        return float(np.minimum(1.0, 2 * np.minimum(self.p_above(value), self.p_below(value))))

    def _ends(self, tail: float) -> tuple[float, float]:
        if self.method == "t":
            half = float(stdtrit(self.freedom, 1 - tail)) * self.error
            return self.value - half, self.value + half
        moved = self.bias + ndtri(np.array([tail, 1 - tail]))
        low, high = np.quantile(self.replicates, ndtr(self.bias + moved / (1 - self.acceleration * moved)))
        return float(low), float(high)

    def _bootstrap_p(self, value: float) -> float:
        """Tail at which the lower end of BCa's interval reaches the value: equation 14.10 solved for it."""
        count = len(self.replicates)
        below, upto = (np.searchsorted(self.replicates, value, side=side) for side in ("left", "right"))
        share = np.clip((below + upto) / 2 / count, 0.5 / count, 1 - 0.5 / count)
        moved = ndtri(share) - self.bias
        return float(ndtr(moved / (1 + self.acceleration * moved) - self.bias))


def estimate_mean(table: Float[np.ndarray, "*axes"], *, seed: int, method: Method | None = None) -> Estimate:
    """Estimate the mean difference over trainings and subjects.

    Args:
        table: `(draw, generator, segmenter, subject)`, see the conventions; no subjects give NaN.
        seed: Of the bootstrap.
        method: `t` or `bootstrap`; chosen by `method_for` unless given.

    Raises:
        CohortError: A subject has no value at all, or a value is infinite.
    """
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 4:
        raise CohortError(f"differences of shape {values.shape}", "(draw, generator, segmenter, subject)")
    subjects = values.shape[-1]
    if not subjects:
        return Estimate(float("nan"), "t", 0, (), np.empty(0))
    require_values(values.reshape(-1, subjects).T)
    names, runs = _runs(values)
    factors, effects = _factors(names, runs)
    value = float(_mean(values, (0, 1, 2)).mean())
    if (method or method_for(values.shape)) == "t":
        return Estimate(value, "t", subjects, factors, np.empty(0))
    replicates = np.sort(_replicates(runs, seed)) + value - runs.mean()
    return Estimate(value, "bootstrap", subjects, factors, replicates, *_corrections(value, replicates, effects))


def estimate_by_seed(values: Float[np.ndarray, "subject seed"], *, seed: int) -> Estimate:
    """Estimate the mean of values or differences `(subject, seed)`, of one draw of training subjects.

    Args:
        values: NaN where a subject was not measured under a seed.
        seed: Of the bootstrap.

    Raises:
        CohortError: As `estimate_mean`.
    """
    table = np.asarray(values, dtype=np.float64).T
    return estimate_mean(table[None, None], seed=seed)


def method_for(shape: tuple[int, ...]) -> Method:
    """Choose by the design alone, before any value is seen: `t` unless the bootstrap's coverage holds.

    In simulations the bootstrap's 95 % interval holds the truth in at least 92 % of
    studies where subjects alone vary and there are `ENOUGH_FOR_BOOTSTRAP` of them.
    The spread between up to five trainings is a poor stand-in for that of all
    trainings, and the bootstrap's coverage falls below 70 %; `t` holds 92 % in all
    designs (`benchmarks/error_rates.py` and its results).

    Args:
        shape: Draws, generators, segmenters and subjects.

    Example:
        >>> method_for((3, 1, 1, 60)), method_for((1, 1, 1, 60)), method_for((1, 1, 1, 12))
        ('t', 'bootstrap', 't')
    """
    *trainings, subjects = shape
    return "bootstrap" if max(trainings) == 1 and subjects >= ENOUGH_FOR_BOOTSTRAP else "t"


def _runs(values: Table) -> tuple[tuple[str, ...], Float64[np.ndarray, "*factors subject"]]:
    """Names of the factors of trainings, and the table with these axes and subjects alone, its gaps filled."""
    axes = {"draw": 0} if values.shape[0] > 1 else {"generator": 1, "segmenter": 2}
    kept = {name: axis for name, axis in axes.items() if values.shape[axis] > 1}
    averaged = tuple(axis for axis in (0, 1, 2) if axis not in kept.values())
    return tuple(kept), _filled(_mean(values, averaged))


def _mean(values: Float64[np.ndarray, "*shape"], axes: tuple[int, ...]) -> Float64[np.ndarray, "*fewer"]:
    """Mean over axes of what was measured; NaN where nothing was."""
    present = np.isfinite(values)
    counts = present.sum(axis=axes)
    sums = np.where(present, values, 0.0).sum(axis=axes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _filled(runs: Float64[np.ndarray, "*factors subject"]) -> Float64[np.ndarray, "*factors subject"]:
    """Gaps filled with the subject's mean plus what the training adds on the subjects that it has."""
    if np.isfinite(runs).all():
        return runs
    flat = runs.reshape(-1, runs.shape[-1])
    subject = _mean(flat, (0,))
    added = np.nan_to_num(_mean(flat - subject, (1,)))[:, None]
    return np.where(np.isfinite(flat), flat, subject + added).reshape(runs.shape)


def _factors(
    names: tuple[str, ...], runs: Float64[np.ndarray, "*factors subject"]
) -> tuple[tuple[Factor, ...], list[Float64[np.ndarray, "_"]]]:
    """Factors with the variances of their means, and the means of their levels less the whole."""
    whole = runs.mean()
    factors, effects = [], []
    for axis, name in enumerate((*names, "subject")):
        others = tuple(other for other in range(runs.ndim) if other != axis)
        effect = runs.mean(axis=others) - whole
        if len(effect) > 1:
            factors.append(Factor(name, len(effect), float(effect.var(ddof=1) / len(effect))))
            effects.append(effect)
    return tuple(factors), effects


@lru_cache(maxsize=16)
def _weights(name: str, levels: int, seed: int) -> Float64[np.ndarray, "replicate level"]:
    """Shares with which the levels of a factor are drawn in each replicate."""
    counts = stream(seed, "crossed-bootstrap", name).multinomial(levels, np.full(levels, 1 / levels), size=REPLICATES)
    weights = counts / levels
    weights.setflags(write=False)
    return weights


def _replicates(runs: Float64[np.ndarray, "*factors subject"], seed: int) -> Float64[np.ndarray, "replicate"]:
    """Means of the table with the levels of every factor drawn anew."""
    subjects = runs.shape[-1]
    drawn = np.moveaxis(runs @ _weights("subject", subjects, seed).T, -1, 0)
    for axis in range(runs.ndim - 1):
        weights = _weights(f"runs {axis}", drawn.shape[1], seed)
        drawn = np.einsum("rl,rl...->r...", weights, drawn)
    return np.ascontiguousarray(drawn)


def _corrections(
    value: float, replicates: Float64[np.ndarray, "replicate"], effects: Sequence[Float64[np.ndarray, "_"]]
) -> tuple[float, float]:
    """BCa's bias and acceleration, the latter over the influence of every level of every factor."""
    influence = np.concatenate([effect / len(effect) for effect in effects]) if effects else np.zeros(1)
    squares = float((influence**2).sum())
    if squares <= 1e-24 * max(1.0, value**2):
        return 0.0, 0.0
    ties = np.abs(replicates - value) <= 1e-9 * np.sqrt(squares)
    below = ((replicates < value) & ~ties).mean() + ties.mean() / 2
    bias = float(ndtri(np.clip(below, 1 / len(replicates), 1 - 1 / len(replicates))))
    return bias, float((influence**3).sum() / (6 * squares**1.5))


def _freedom_of(quantile: float) -> float:
    """Degrees of freedom of which this is the 97.5 % quantile of t; one where each factor has but one."""
    from scipy.optimize import brentq

    # The weighted mean of equal quantiles lies a rounding error beyond the bracket's end.
    if quantile >= stdtrit(1.0, 0.975):
        return 1.0
    return float(np.exp(brentq(lambda log: stdtrit(np.exp(log), 0.975) - quantile, 0.0, 20.0, xtol=1e-6)))


def _certain(mean: float, value: float) -> float:
    """One-sided p without any spread: 0 or 1, and a half where mean and value are the same."""
    return 0.5 if mean == value else float(mean < value)
