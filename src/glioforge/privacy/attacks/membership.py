"""Membership from the synthetic cases alone: by the nearest of them, and by the ratio of densities.

The score by distance is the nearness of the nearest synthetic case (GAN-Leaks,
Chen et al. 2020, arXiv:1909.03935, full black box with calibration); the ratio
divides the density of synthetic cases at a person by that of other people there
(DOMIAS, van Breugel et al. 2023, arXiv:2302.12580).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, final

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from glioforge.privacy.bounds import Roc, Scores, roc_of, two_sided
from glioforge.privacy.evidence import Evidence
from glioforge.privacy.finding import Control, Finding, Limits

FEWEST: Final = 2
"""Subjects a side without which no curve can be drawn."""


def membership_findings(name: str, roc: Roc, limits: Limits, count: int, **detail: object) -> tuple[Finding, ...]:
    """Return the two findings of any membership attack: area under the curve, and rate at 5 % false positives.

    Args:
        name: Name of the attack.
        roc: Its curve.
        limits: Largest bounds that pass.
        count: Subjects behind it.
        **detail: Further numbers.
    """
    shown = {"rates": list(roc.rates), "curve": [list(axis) for axis in roc.curve], **detail}
    area = "area under the ROC curve over subjects, training against held-out"
    rate = "training subjects recognised when 5 % of held-out ones are taken for one"
    return (
        Finding(name, area, roc.auc, roc.bound, limits.auc, roc.p, 0.5, count, controlled=True, detail=shown),
        Finding(name, rate, roc.rates[1], roc.rate_bound, limits.tpr, roc.rate_p, 0.05, count, controlled=True),
    )


@final
class Membership:
    """An attack by a score of every person.

    Args:
        name: Name for tables.
        knows: What the attacker holds.
        score: Score of every person from the evidence, larger for members.
    """

    def __init__(self, name: str, knows: str, score: Callable[[Evidence], Scores]) -> None:
        self.name, self.knows, self._score = name, knows, score

    def findings(self, evidence: Evidence, limits: Limits, level: float, seed: int) -> tuple[Finding, ...]:  # noqa: ARG002 - the protocol's signature
        """Area under the curve and true-positive rate, training against held-out subjects."""
        sides, scores = evidence.sides, self._score(evidence)
        if min(sides.training, sides.held_out) < FEWEST:
            return ()
        roc = roc_of(scores[sides.members], scores[sides.others], level)
        return membership_findings(self.name, roc, limits, min(sides.training, sides.held_out))

    def controls(self, evidence: Evidence) -> tuple[Control, ...]:
        """The same attack on held-out against control subjects, and on one half of the training subjects."""
        sides, scores = evidence.sides, self._score(evidence)
        members, others, strangers = scores[sides.members], scores[sides.others], scores[sides.strangers]
        pairs = {"held-out against control subjects": (others, strangers)}
        pairs["training subjects against each other"] = (members[::2], members[1::2])
        return tuple(
            Control(f"{what}: {self.name}", *two_sided(*pair), min(map(len, pair)))
            for what, pair in pairs.items()
            if min(map(len, pair)) >= FEWEST
        )


def by_distance(evidence: Evidence) -> Scores:
    """Nearness of the nearest synthetic case to each person."""
    return evidence.near.max(axis=0).astype(np.float64)


@lru_cache(maxsize=1)
def by_density(evidence: Evidence) -> Scores:
    """Logarithm of the density of synthetic cases at each person over that of the calibrating control subjects."""
    people = evidence.people_points
    reference = people[evidence.sides.reference]
    return _log_density(people, evidence.made_points) - _log_density(people, reference)


def _log_density(at: np.ndarray, points: np.ndarray) -> Scores:
    """Gaussian kernel density by Scott's rule, up to a constant; points themselves are left out."""
    count, dimensions = points.shape
    width = count ** (-1 / (dimensions + 4))
    squares = cdist(at, points, "sqeuclidean")
    found: Scores = logsumexp(np.where(squares > 1e-12, -squares / (2 * width**2), -np.inf), axis=1)
    return np.maximum(found, -1e6)


DISTANCE: Final = Membership("membership by distance", "The synthetic cases, and a scan of the person.", by_distance)
DENSITY: Final = Membership(
    "membership by density",
    "The synthetic cases, a scan of the person, and scans of other people of the same kind.",
    by_density,
)
