"""Intervals: of means over subjects, of numbers about a whole cohort, and of shares of trials.

One unit of evidence is a subject.  Slices, regions and training seeds of one
subject are not independent of each other and never counted as more subjects.

A distance between two sets of images, or an accuracy over all cases, belongs to
no subject, so that it has no mean over subjects to bootstrap.  Whoever computes
such a number computes it again on resamples: the same number of subjects, drawn
with replacement.  The results table holds the number itself in a row with empty
`sample`, and each resample in a row named by `sample_name`.  Resample `n` draws
the same subjects in every arm, so that differences of arms can be paired.

Shares of trials, such as right answers of a reader, have Wilson's interval, and exact
tests of chance and equivalence.  A trial is then a unit of evidence of its own; slices
of one subject are not.

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

Sources: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13
(percentile interval); Wilson, Journal of the American Statistical Association 22
(1927); the exact binomial test in its two-sided form by likelihood; Schuirmann,
Journal of Pharmacokinetics and Biopharmaceutics 15 (1987) for two one-sided tests.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float, Float64

from glioforge.core import CohortError, stream

Values = Float64[np.ndarray, "subject seed"]
PerSubject = Float64[np.ndarray, "subject"]

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
    present = require_values(matrix)
    return np.where(present, matrix, 0.0).sum(axis=1) / present.sum(axis=1)


def require_values(matrix: Values) -> Bool[np.ndarray, "subject seed"]:
    """Return where there are values; refuse infinite ones and subjects without any.

    Raises:
        CohortError: A subject has no value at all, or a value is infinite.
    """
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


RESAMPLES: Final = 200
"""Resamples of a cohort, unless given: enough for a 95 % percentile interval to about a tenth of its width."""
ENOUGH_RESAMPLES: Final = 40
"""Fewest resamples of which the ends of a 95 % interval are taken."""
_PREFIX: Final = "bootstrap-"


def sample_name(number: int) -> str:
    """Return the name of a resample in the column `sample`.

    Example:
        >>> sample_name(17)
        'bootstrap-017'
    """
    return f"{_PREFIX}{number:03d}"


def is_resample(sample: str) -> bool:
    """Whether a value of the column `sample` names a resample."""
    return sample.startswith(_PREFIX)


def resampled(
    subjects: Sequence[str], measure: Callable[[Sequence[str]], float], *, seed: int, count: int = RESAMPLES
) -> dict[str, float]:
    """Measure a cohort, and resamples of its subjects.

    Args:
        subjects: Every subject of the cohort once.
        measure: Computes the number from subjects, of whom some may be named several times.
        seed: Of the resamples; the same for all arms that are compared.
        count: Number of resamples.

    Returns:
        The number itself under `""`, and that of each resample under its name; with fewer than two subjects, no
        resamples.

    Raises:
        CohortError: There are no subjects, or one is named twice.
    """
    names = sorted(subjects)
    if not names or len(set(names)) < len(names):
        raise CohortError(f"subjects {names}", "at least one subject, each named once")
    found = {"": float(measure(names))}
    for number in range(count if len(names) > 1 else 0):
        drawn = stream(seed, "resample", number).integers(0, len(names), len(names))
        found[sample_name(number)] = float(measure([names[place] for place in drawn]))
    return found


def resampled_interval(values: Mapping[str, float], subjects: int, *, level: float = 0.95) -> Interval:
    """Return a number about a cohort with its percentile interval.

    Args:
        values: The number itself under `""`, and resamples under their names; values that are not finite are left out.
        subjects: Subjects behind it, for the note; 0 where that is not known.
        level: Coverage, in (0, 1).

    Returns:
        No interval, and a note that says why, for too few subjects or fewer than `ENOUGH_RESAMPLES` resamples.
    """
    estimate = values.get("", float("nan"))
    drawn = [value for name, value in values.items() if is_resample(name) and np.isfinite(value)]
    lacking = f"number of the whole cohort with {len(drawn)} resamples: no interval"
    note = (too_few(subjects) if subjects else "") or (lacking if len(drawn) < ENOUGH_RESAMPLES else "")
    if note:
        return Interval(estimate, np.nan, np.nan, level, subjects, note)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), level, subjects)


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's interval of a share.

    Args:
        successes: Between 0 and `trials`.
        trials: Number of trials; with 0 there is neither estimate nor interval.
        level: Coverage, in (0, 1).

    Raises:
        CohortError: The counts contradict each other.

    Example:
        >>> share = wilson(5, 19)
        >>> [round(100 * x, 1) for x in (share.estimate, share.low, share.high)]
        [26.3, 11.8, 48.8]
    """
    if not 0 <= successes <= trials:
        raise CohortError(f"{successes} successes in {trials} trials", "0 <= successes <= trials")
    if trials == 0:
        return Interval(np.nan, np.nan, np.nan, level, 0, "no trials")
    from scipy.stats import binomtest

    ends = binomtest(successes, trials).proportion_ci(level, method="wilson")
    return Interval(successes / trials, float(ends.low), float(ends.high), level, trials)


def binomial_p(successes: int, trials: int, chance: float = 0.5) -> float:
    """Exact two-sided p of a share against chance: outcomes no likelier than the one seen.

    Args:
        successes: Between 0 and `trials`.
        trials: Number of trials; 0 gives 1.
        chance: Probability under the hypothesis, in (0, 1).

    Raises:
        CohortError: The counts contradict each other.

    Example:
        >>> round(binomial_p(5, 19), 3), round(binomial_p(2, 19), 4)
        (0.064, 0.0007)
    """
    if not 0 <= successes <= trials:
        raise CohortError(f"{successes} successes in {trials} trials", "0 <= successes <= trials")
    from scipy.stats import binomtest

    return float(binomtest(successes, trials, chance).pvalue) if trials else 1.0


def equivalence_p(successes: int, trials: int, margin: float, chance: float = 0.5) -> float:
    """Larger p of the exact one-sided tests that a share lies outside chance +- margin; below 5 % it lies within.

    Args:
        successes: Between 0 and `trials`.
        trials: Number of trials; 0 gives 1.
        margin: Margin around `chance`, set beforehand.
        chance: Probability under the hypothesis, in (0, 1).

    Raises:
        CohortError: The counts contradict each other, or the margin reaches 0 or 1.

    Example:
        >>> round(equivalence_p(53, 100, 0.1), 3), round(equivalence_p(150, 300, 0.1), 5)
        (0.093, 0.00029)
    """
    from scipy.stats import binomtest

    if not 0 < margin < min(chance, 1 - chance):
        raise CohortError(f"equivalence margin {margin:g}", f"a margin in (0, {min(chance, 1 - chance):g})")
    if not 0 <= successes <= trials:
        raise CohortError(f"{successes} successes in {trials} trials", "0 <= successes <= trials")
    if not trials:
        return 1.0
    above = binomtest(successes, trials, chance - margin, alternative="greater").pvalue
    below = binomtest(successes, trials, chance + margin, alternative="less").pvalue
    return float(max(above, below))
