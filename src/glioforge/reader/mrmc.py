"""Variance of an AUC over readers and cases, by U-statistics.

Readers and cases are both samples: what is said of "readers" must hold for
others, and the same images are judged by all of them.  The variance of a mean
AUC is a sum over pairs of reader-case kernels, sorted by what the pair shares;
each category's moment is estimated by its average, without a model.

Conventions
-----------
score     larger means more sure that the image is synthetic
kernel    1 where the synthetic case scores higher than the real one, 1/2 for
          a tie, 0 otherwise; NaN scores are cases that a reader did not read
case      a subject: kernels and counts of several items of one subject are
          summed, so that they stay one case
weights   each reader counts the same, however many cases were read
few       with fewer than `FEWEST_READERS` readers the variance is over cases
          alone, and the result is about these readers

The t test is that of Obuchowski and Rockette, with U-statistics in the place of
their covariances.  Its degrees of freedom are (R - 1) (V / S)^k with R readers,
where V is the variance of the mean and S the part that the readers' spread
explains.  Hillis (2007) has k = 2, with which three readers reject a true
hypothesis in up to 8 % of studies; k = 2 - 2 / (R - 1) keeps between 3.5 and 6 %
(benchmark `reading_tests`) and becomes his with many readers.

Sources: Gallas, Academic Radiology 13 (2006) and Gallas, Bandos, Samuelson &
Wagner, Communications in Statistics 38 (2009) for the moments; Obuchowski &
Rockette, Communications in Statistics 24 (1995); Hillis, Statistics in Medicine
26 (2007) for degrees of freedom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import stdtr, stdtrit

from glioforge.core import CohortError
from glioforge.statistics import Interval

Scores = Float[np.ndarray, "*batch reader case"]
Kernels = Float64[np.ndarray, "*batch reader real synthetic"]
PerReader = Float64[np.ndarray, "*batch reader"]
Numbers = Float64[np.ndarray, "*batch"] | float
PairSums = Float64[np.ndarray, "*batch reader reader"]

FEWEST_READERS = 3
"""Readers from which on they are taken as a sample; two do not show how much readers differ."""
_NOTHING = 1e-15


@final
@dataclass(frozen=True)
class Estimates:
    """Means over readers with their variance; arrays over whatever was computed at once.

    Args:
        readers: Value of each reader.
        variance: Variance of the mean over readers, over readers and cases; over cases alone for few readers.
        null: Value under the hypothesis tested.
        cases: Subjects behind it.
    """

    readers: PerReader
    variance: Numbers
    null: float
    cases: int

    @property
    def mean(self) -> Numbers:
        """Mean over readers."""
        return self.readers.mean(axis=-1)

    @property
    def spread(self) -> Numbers:
        """Variance between the readers' values divided by the number of readers; 0 for few readers."""
        count = self.readers.shape[-1]
        if count < FEWEST_READERS:
            return np.zeros(self.readers.shape[:-1])
        return self.readers.var(axis=-1, ddof=1) / count

    @property
    def used(self) -> Numbers:
        """Variance used: never less than what the readers' spread alone gives, and never below 0."""
        return np.maximum(np.maximum(self.variance, self.spread), 0.0)

    @property
    def freedom(self) -> Numbers:
        """Degrees of freedom; those of the cases for few readers and for readers who do not differ."""
        most = float(max(self.cases - 2, 1))
        others = max(self.readers.shape[-1] - 1, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = others * (self.used / self.spread) ** (2 - 2 / others)
        return np.where(self.spread > 0, freedom, most)

    def p(self) -> Numbers:
        """Two-sided p of the mean against `null`; 1 where neither differs nor varies."""
        return 2 * stdtr(self.freedom, -np.abs(self._t(self.null)))

    def p_equivalence(self, margin: float) -> Numbers:
        """Larger p of two one-sided t tests that the mean lies outside `null` +- `margin`.

        Raises:
            CohortError: The margin is not positive.
        """
        if margin <= 0:
            raise CohortError(f"equivalence margin {margin:g}", "a margin above 0")
        above = stdtr(self.freedom, -self._t(self.null - margin))
        below = stdtr(self.freedom, self._t(self.null + margin))
        return np.maximum(above, below)

    def interval(self, level: float = 0.95) -> Interval:
        """Interval of a single mean; none where no answer varies."""
        mean, variance = float(self.mean), float(self.used)
        if variance <= 0:
            return Interval(mean, np.nan, np.nan, level, self.cases, "no answer varies, so that there is no interval")
        half = float(stdtrit(self.freedom, 0.5 + level / 2) * np.sqrt(variance))
        return Interval(mean, mean - half, mean + half, level, self.cases)

    def _t(self, value: float) -> Numbers:
        """Distance of the mean from a value in standard errors; 0 for none, infinite where nothing varies."""
        distance = self.mean - value
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = distance / np.sqrt(self.used)
        return np.where(np.abs(distance) < 1e-12, 0.0, ratio)


def kernels(scores: Scores, synthetic: np.ndarray, subjects: np.ndarray | None = None) -> tuple[Kernels, Kernels]:
    """Sums of kernels and numbers of pairs for each reader, real case and synthetic case.

    Args:
        scores: `(..., reader, item)`; NaN where not read.
        synthetic: `(item,)`; whether each item is synthetic.
        subjects: `(item,)`; subject of each item; every item is its own unless given.

    Raises:
        CohortError: One kind of item is missing.
    """
    truth = np.asarray(synthetic, dtype=bool)
    if truth.all() or not truth.any():
        raise CohortError(f"{int(truth.sum())} synthetic of {len(truth)} items", "real and synthetic items")
    real, fake = scores[..., ~truth, None], scores[..., None, truth]
    read = np.isfinite(real) & np.isfinite(fake)
    success = np.where(read, (fake > real) + 0.5 * (fake == real), 0.0)
    counts = read.astype(np.float64)
    if subjects is None:
        return success, counts
    rows, columns = (_membership(np.asarray(subjects)[kind]) for kind in (~truth, truth))
    return rows.T @ success @ columns, rows.T @ counts @ columns


def auc(scores: Scores, synthetic: np.ndarray, subjects: np.ndarray | None = None) -> Estimates:
    """Mean AUC over readers with its variance, against one half.

    Args:
        scores: `(..., reader, item)`; NaN where not read; leading axes are separate studies.
        synthetic: `(item,)`; whether each item is synthetic.
        subjects: `(item,)`; subject of each item; every item is its own unless given.

    Raises:
        CohortError: One kind of item is missing, or a reader read no pair.

    Example:
        >>> found = auc(np.array([[0.1, 0.4, 0.35, 0.8]]), np.array([False, False, True, True]))
        >>> float(found.mean), round(float(found.variance), 4)
        (0.75, 0.0625)
    """
    success, counts = kernels(scores, synthetic, subjects)
    variance = covariance((success, counts), (success, counts))
    return Estimates(_reader_means(success, counts), variance, 0.5, _cases(counts))


def auc_difference(
    scores: Scores, other: Scores, synthetic: np.ndarray, subjects: np.ndarray | None = None
) -> Estimates:
    """Mean difference of two AUCs of the same readers and cases, against 0.

    Args:
        scores: `(..., reader, item)` of one method; NaN where not read.
        other: The same of the other method: item n is the same case.
        synthetic: `(item,)`; whether each item is synthetic.
        subjects: `(item,)`; subject of each item; every item is its own unless given.

    Raises:
        CohortError: One kind of item is missing, or a reader read no pair.
    """
    one, two = (kernels(given, synthetic, subjects) for given in (scores, other))
    variance = covariance(one, one) + covariance(two, two) - 2 * covariance(one, two)
    return Estimates(_reader_means(*one) - _reader_means(*two), variance, 0.0, _cases(one[1]))


def covariance(one: tuple[Kernels, Kernels], two: tuple[Kernels, Kernels]) -> Numbers:
    """Covariance of two mean AUCs of the same readers and cases, over readers and cases; over cases for few readers.

    Equations 6 to 9 of Gallas et al. (2009), with weights that let each reader count the same.
    """
    moments = _categories(_weighted(*one), _weighted(*two))
    weights = _categories(_weighted(one[1], one[1]), _weighted(two[1], two[1]))
    return summed_categories(moments, weights)


def summed_categories(moments: Sequence[PairSums], weights: Sequence[PairSums]) -> Numbers:
    """Sum over categories of pairs of answers: weight times how far the moment exceeds that of unrelated pairs.

    Args:
        moments: Sums of weighted products, `(..., reader, reader)` for each category of shared cases; the last category
            shares none.
        weights: The same sums of the weights alone.

    Returns:
        With `FEWEST_READERS` or more, readers are a sample, and unrelated pairs are those of different readers; with
        fewer, each pair of readers is taken as given.
    """
    sampled = weights[0].shape[-1] >= FEWEST_READERS
    sums = [
        (_by_readers(m, sampled=sampled), _by_readers(w, sampled=sampled))
        for m, w in zip(moments, weights, strict=True)
    ]
    means = [np.where(w > _NOTHING, m / np.where(w > _NOTHING, w, 1.0), 0.0) for m, w in sums]
    base = means[-1][..., -1:] if sampled else means[-1]
    parts = [np.where(w > _NOTHING, w * (mean - base), 0.0) for mean, (_, w) in zip(means, sums, strict=True)]
    return np.asarray(sum(part.sum(axis=-1) for part in parts), dtype=np.float64)


def _membership(subjects: np.ndarray) -> Float64[np.ndarray, "item subject"]:
    """1 where an item belongs to a subject."""
    names, codes = np.unique(subjects, return_inverse=True)
    return np.eye(len(names))[codes]


def _weighted(values: Kernels, counts: Kernels) -> Kernels:
    """Values with the weight that lets each reader count the same."""
    readers = counts.shape[-3]
    pairs = counts.sum(axis=(-2, -1), keepdims=True)
    if (pairs == 0).any():
        raise CohortError("a reader without a pair of a real and a synthetic case", "answers of both kinds")
    return values / (pairs * readers)


def _cases(counts: Kernels) -> int:
    """Real and synthetic cases."""
    return sum(counts.shape[-2:])


def _reader_means(success: Kernels, counts: Kernels) -> PerReader:
    """AUC of each reader."""
    return _weighted(success, counts).sum(axis=(-2, -1)) * counts.shape[-3]


def _categories(one: Kernels, two: Kernels) -> tuple[PairSums, ...]:
    """Sums of products over pairs of kernels, `(..., reader, reader)`, by what cases they share.

    In order: both cases, the real case alone, the synthetic case alone, none.
    """
    both = np.einsum("...rij,...sij->...rs", one, two)
    real = np.einsum("...ri,...si->...rs", one.sum(axis=-1), two.sum(axis=-1))
    fake = np.einsum("...rj,...sj->...rs", one.sum(axis=-2), two.sum(axis=-2))
    everything = np.einsum("...r,...s->...rs", one.sum(axis=(-2, -1)), two.sum(axis=(-2, -1)))
    return both, real - both, fake - both, everything - real - fake + both


def _by_readers(sums: PairSums, *, sampled: bool) -> Float64[np.ndarray, "*batch group"]:
    """Sums over pairs of one reader and of two; of each pair of readers apart where these are no sample."""
    if not sampled:
        return sums.reshape(*sums.shape[:-2], -1)
    own = np.trace(sums, axis1=-2, axis2=-1)
    others = (sums * ~np.eye(sums.shape[-1], dtype=bool)).sum(axis=(-2, -1))
    return np.stack([own, others], axis=-1)
