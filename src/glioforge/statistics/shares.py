"""Shares of trials, such as right answers of a reader: Wilson's interval, and exact tests of chance and equivalence.

A trial here is a unit of evidence of its own; slices of one subject are not.

Source: Wilson, Journal of the American Statistical Association 22 (1927); the
exact binomial test in its two-sided form by likelihood; Schuirmann, Journal of
Pharmacokinetics and Biopharmaceutics 15 (1987) for two one-sided tests.
"""

import numpy as np

from glioforge.core import CohortError
from glioforge.statistics.intervals import Interval


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
