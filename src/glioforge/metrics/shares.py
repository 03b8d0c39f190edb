"""Shares of trials, such as right answers of a reader: Wilson's interval and an exact test.

A trial here is a unit of evidence of its own; slices of one subject are not.

Source: Wilson, Journal of the American Statistical Association 22 (1927); the
exact binomial test in its two-sided form by likelihood.
"""

import numpy as np
from scipy.special import gammaln, ndtri

from glioforge.core.errors import CohortError
from glioforge.metrics.intervals import Interval


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
    z = float(ndtri(0.5 + level / 2))
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    low = 0.0 if successes == 0 else float(centre - half)
    high = 1.0 if successes == trials else float(centre + half)
    return Interval(share, low, high, level, trials)


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
    outcomes = np.arange(trials + 1)
    ways = gammaln(trials + 1) - gammaln(outcomes + 1) - gammaln(trials - outcomes + 1)
    likelihood = np.exp(ways + outcomes * np.log(chance) + (trials - outcomes) * np.log1p(-chance))
    return float(min(1.0, likelihood[likelihood <= likelihood[successes] * (1 + 1e-7)].sum()))
