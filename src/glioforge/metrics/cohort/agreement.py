"""Which distance to believe: whether it ranks the arms of a study as the downstream gain does.

Spearman's rank correlation of distances and gains over arms.  A distance that can
be believed falls where the gain rises.  Its null distribution comes from permuting
the gains over arms: all permutations of up to 8 arms, 10,000 random ones of more.
Fewer than 8 arms are no evidence, whatever the correlation.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import factorial
from typing import Final, final

import numpy as np
from jaxtyping import Float64
from scipy.stats import permutation_test, rankdata

from glioforge.core import CohortError, LeakageError, listed, stream

FEWEST_ARMS: Final = 8
"""Arms below which no agreement counts as evidence."""
_RANDOM: Final = 10_000


@final
@dataclass(frozen=True)
class Agreement:
    """Rank correlation of a distance with the gain.

    Args:
        correlation: Spearman's; -1 where a smaller distance always goes with a larger gain.
        low: Lower end of the central 95 % of permutations.
        high: Upper end.
        p: Two-sided p-value of the permutations.
        arms: Number of arms.
    """

    correlation: float
    low: float
    high: float
    p: float
    arms: int

    @property
    def is_evidence(self) -> bool:
        """Whether there are arms enough, and the correlation lies outside what permutations give."""
        return self.arms >= FEWEST_ARMS and not self.low <= self.correlation <= self.high

    @property
    def text(self) -> str:
        """One sentence for a page."""
        if self.arms < FEWEST_ARMS:
            return (
                f"{self.arms} arms are no evidence: at least {FEWEST_ARMS} are needed to say which number to believe."
            )
        what = "agrees with" if self.is_evidence and self.correlation < 0 else "does not agree with"
        return (
            f"Over {self.arms} arms the distance {what} the gain: rank correlation {self.correlation:+.2f}, "
            f"permutations {self.low:+.2f} to {self.high:+.2f}, p = {self.p:.3f}."
        ).replace("-", "−")


def rank_agreement(distances: Mapping[str, float], gains: Mapping[str, float], *, seed: int = 1) -> Agreement:
    """Correlate a distance with the gain over the arms that have both.

    Args:
        distances: Of each arm's synthetic cases; smaller is more alike.
        gains: Of each arm over the baseline, as of Dice.
        seed: Of random permutations.

    Raises:
        CohortError: Fewer than three arms have both, or one of the two is the same for all arms.

    Example:
        >>> rank_agreement({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 0.3, "b": 0.2, "c": 0.1}).correlation
        -1.0
    """
    arms = sorted(set(distances) & set(gains))
    x, y = (np.array([values[arm] for arm in arms]) for values in (distances, gains))
    if len(arms) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        raise CohortError(f"{len(arms)} arms with distance and gain: {listed(arms)}", "three arms that differ")
    gained = _unit(rankdata(y))
    test = permutation_test(
        (_unit(rankdata(x)),),
        lambda ranks, axis: (ranks * gained).sum(axis=axis),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=factorial(len(arms)) if len(arms) <= FEWEST_ARMS else _RANDOM,
        rng=stream(seed, "rank agreement"),
    )
    low, high = np.quantile(test.null_distribution, [0.025, 0.975])
    return Agreement(round(float(test.statistic), 12), float(low), float(high), float(test.pvalue), len(arms))


def require_apart(measured: Collection[str], tuning: Mapping[str, Collection[str]]) -> None:
    """Refuse subjects on whom distances or gains are measured and something was tuned.

    Args:
        measured: Test subjects of the distances and gains.
        tuning: Subjects of each thing that was fitted or chosen, by its name.

    Raises:
        LeakageError: Names the subjects and what was tuned on them.
    """
    for what, subjects in tuning.items():
        shared = sorted(set(measured) & set(subjects))
        if shared:
            raise LeakageError(
                f"subjects {listed(shared)} of the measurement, on whom {what} was tuned",
                "subjects on whom nothing was tuned",
                "measure distances and gains on other subjects",
            )


def _unit(ranks: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """Ranks centred and of length 1."""
    centred = ranks - ranks.mean()
    return np.asarray(centred / np.linalg.norm(centred))
