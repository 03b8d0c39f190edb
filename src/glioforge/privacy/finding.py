"""What an attack reports: a measure with its bound and limit, the tests behind them, and the evidence of a leak.

Sources: Clopper & Pearson 1934 for shares; Korn & Graubard 1998 (Survey
Methodology 24, 193-201) for shares of clustered cases; Newcombe 1998
(doi:10.1002/(SICI)1097-0258(19980430)17:8<873) for differences; DeLong 1988
(doi:10.2307/2531595) for areas under the ROC curve.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64
from scipy.stats import beta as beta_law, betabinom, norm, rankdata

from glioforge.privacy.evidence import Evidence

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]
FALSE_POSITIVE_RATES: Final = (0.01, 0.05, 0.10)
"""False-positive rates at which true-positive rates are reported."""


@final
@dataclass(frozen=True)
class Limits:
    """Largest upper bounds with which a release passes.

    Args:
        copies: Excess share of near copies among synthetic cases.
        nearer: Share nearer to training than to held-out subjects; 0.5 is chance.
        auc: Area under the ROC curve of any attack; 0.5 is chance.
        tpr: True-positive rate at a false-positive rate of 5 %.
        linkage: Share of synthetic cases whose donor is the nearest training subject.
    """

    copies: float = 0.01
    nearer: float = 0.55
    auc: float = 0.60
    tpr: float = 0.15
    linkage: float = 0.02


@final
@dataclass(frozen=True)
class Finding:
    """Outcome of one attack.

    Args:
        attack: Name of the attack.
        measure: What is bounded, in words.
        estimate: The measure; NaN where it could not be taken.
        bound: Its one-sided upper bound.
        limit: The largest bound that passes.
        p: One-sided p-value of no leak at all.
        chance: Value of the measure without a leak.
        count: Units of evidence behind it: synthetic cases or subjects.
        controlled: Whether split bias could produce it, so that the controls must hold.
        detail: Further numbers for the page, plain values.
    """

    attack: str
    measure: str
    estimate: float
    bound: float
    limit: float
    p: float
    chance: float
    count: int
    controlled: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def title(self) -> str:
        """The attack, and the measure where an attack has two."""
        return f"{self.attack}, rate at 5 %" if self.chance == FALSE_POSITIVE_RATES[1] else self.attack

    @property
    def passes(self) -> bool:
        """Whether the bound is known and within the limit."""
        return bool(np.isfinite(self.bound) and self.bound <= self.limit)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; null for what is not a number."""
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in vars(self).items()
        } | {"detail": dict(self.detail)}


@final
@dataclass(frozen=True)
class Control:
    """An experiment in which nothing can leak: what it shows is bias of the split.

    Args:
        name: What was compared.
        auc: Area under the ROC curve; 0.5 without bias.
        p: Two-sided p-value.
        count: Subjects of the smaller side.
    """

    name: str
    auc: float
    p: float
    count: int

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


@runtime_checkable
class Attack(Protocol):
    """One attack."""

    @property
    def name(self) -> str:
        """Name for tables."""
        ...

    @property
    def knows(self) -> str:
        """What the attacker holds, one sentence."""
        ...

    def findings(self, evidence: Evidence, limits: Limits, level: float, seed: int) -> tuple[Finding, ...]:
        """Attack; nothing where the evidence it needs was not handed in.

        Args:
            evidence: What may be looked at.
            limits: Largest bounds that pass.
            level: Error of each one-sided bound.
            seed: Of permutations.
        """
        ...

    def controls(self, evidence: Evidence) -> tuple[Control, ...]:
        """Experiments of the same attack in which nothing can leak."""
        ...


Scores = Float64[np.ndarray, "_subject"]


@final
@dataclass(frozen=True)
class Roc:
    """How well scores tell members from others.

    Args:
        auc: Area under the curve.
        bound: Its one-sided upper bound.
        p: One-sided p-value of chance.
        rates: True-positive rate at each of `POINTS`.
        rate_bound: Upper bound of the rate at 5 %.
        rate_p: One-sided p-value of a rate of 5 % at most.
        curve: False- and true-positive rates, for a figure.
    """

    auc: float
    bound: float
    p: float
    rates: tuple[float, ...]
    rate_bound: float
    rate_p: float
    curve: tuple[tuple[float, ...], tuple[float, ...]]


def upper_share(hits: float, trials: float, level: float) -> float:
    """Upper Clopper-Pearson bound of a share; 1 without trials.

    Example:
        >>> round(upper_share(0, 300, 0.05), 4)
        0.0099
    """
    return 1.0 if trials <= 0 or hits >= trials else float(beta_law.ppf(1 - level, hits + 1, trials - hits))


def lower_share(hits: float, trials: float, level: float) -> float:
    """Lower Clopper-Pearson bound of a share; 0 without trials."""
    return 0.0 if trials <= 0 or hits <= 0 else float(beta_law.ppf(level, hits, trials - hits + 1))


def upper_difference(first: tuple[float, float], second: tuple[float, float], level: float) -> float:
    """Upper bound of a difference of shares, each given as hits and trials, by Newcombe's square of bounds.

    Example:
        >>> round(upper_difference((0, 300), (0, 300), 0.05), 4)
        0.0099
    """
    one, two = (hits / max(trials, 1) for hits, trials in (first, second))
    above = upper_share(*first, level) - one
    below = two - lower_share(*second, level)
    return float(one - two + np.hypot(above, below))


def upper_clustered(hits: np.ndarray, clusters: Int64[np.ndarray, "case"], level: float) -> float:
    """Upper bound of a share of cases of which those of one cluster are not independent.

    Args:
        hits: Whether each case is one.
        clusters: Cluster of each case.
        level: Error of the bound.
    """
    count = len(hits)
    if not count:
        return 1.0
    share = float(np.mean(hits))
    groups, place = np.unique(clusters, return_inverse=True)
    if len(groups) == count:
        return upper_share(count * share, count, level)
    apart = np.bincount(place, np.asarray(hits, dtype=np.float64) - share)
    variance = float((apart**2).sum()) / count**2 * len(groups) / max(1, len(groups) - 1)
    trials = min(count, share * (1 - share) / variance) if variance > 0 else float(len(groups))
    return upper_share(share * trials, trials, level)


def roc_of(members: Scores, others: Scores, level: float) -> Roc:
    """Return how well a score, larger for members, tells them from others.

    Args:
        members: Scores of training subjects; at least 2.
        others: Scores of held-out subjects; at least 2.
        level: Error of each bound.
    """
    auc, spread = delong(members, others)
    null = float(np.sqrt((len(members) + len(others) + 1) / (12 * len(members) * len(others))))
    ordered = np.sort(others)[::-1]
    rates, places = [], []
    for point in FALSE_POSITIVE_RATES:
        place = max(1, int(np.floor(point * len(others))))
        places.append(place)
        rates.append(float((members > ordered[place - 1]).mean()))
    hits, place = round(rates[1] * len(members)), places[1]
    law = betabinom(len(members), place, len(others) - place + 1)
    cuts = np.concatenate([[np.inf], np.unique(np.concatenate([members, others]))[::-1]])
    cuts = cuts[np.linspace(0, len(cuts) - 1, min(len(cuts), 120)).astype(int)]
    curve = tuple(tuple(float((side >= cut).mean()) for cut in cuts) for side in (others, members))
    return Roc(
        auc,
        min(1.0, auc + float(norm.isf(level)) * max(spread, null if auc in {0.0, 1.0} else spread)),
        float(norm.sf((auc - 0.5) / null)),
        tuple(rates),
        upper_share(hits, len(members), level),
        float(law.sf(hits - 1)),
        (curve[0], curve[1]),
    )


def two_sided(members: Scores, others: Scores) -> tuple[float, float]:
    """Area under the ROC curve, and its two-sided p-value of chance."""
    auc, _ = delong(members, others)
    null = np.sqrt((len(members) + len(others) + 1) / (12 * len(members) * len(others)))
    return auc, float(2 * norm.sf(abs(auc - 0.5) / null))


def delong(members: Scores, others: Scores) -> tuple[float, float]:
    """Area under the ROC curve and its standard error; ties count half.

    Example:
        >>> delong(np.array([2.0, 3.0]), np.array([0.0, 1.0]))
        (1.0, 0.0)
    """
    first, second = len(members), len(others)
    ranks = rankdata(np.concatenate([members, others]))
    above = (ranks[:first] - rankdata(members)) / second
    below = 1 - (ranks[first:] - rankdata(others)) / first
    spread = np.sqrt(above.var(ddof=1) / first + below.var(ddof=1) / second) if min(first, second) > 1 else 0.5
    return float(above.mean()), float(spread)
