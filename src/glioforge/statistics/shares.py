"""Shares of trials, such as right answers of a reader: Wilson's interval and an exact test.

A trial here is a unit of evidence of its own; slices of one subject are not.

Source: Wilson, Journal of the American Statistical Association 22 (1927); the
exact binomial test in its two-sided form by likelihood.
"""

import numpy as np

from glioforge.core.errors import CohortError
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
