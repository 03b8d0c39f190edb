"""Membership of a person in the training data, from the synthetic cases alone or with the model in hand.

From the synthetic cases alone there are two scores.  By distance it is the nearness of the
nearest synthetic case (GAN-Leaks, Chen et al. 2020, arXiv:1909.03935, full black box with
calibration); the ratio divides the density of synthetic cases at a person by that of other
people there (DOMIAS, van Breugel et al. 2023, arXiv:2302.12580).

With the model in hand there are scores of its discriminator, its loss, and the
likelihood-ratio attack, which compares the score of a person under the released
model with the scores under shadow models trained with and without that person
(Carlini et al. 2022, arXiv:2112.03570, section V, with one variance for all persons
because shadow models are few).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float64
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import norm

from glioforge.core import CohortError
from glioforge.privacy.evidence import Evidence
from glioforge.privacy.finding import Control, Finding, Limits, Roc, Scores, roc_of, two_sided

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


SHADOWS: Final = 16
"""Fewest shadow models of a likelihood-ratio attack."""
LOSS: Final = "loss"
"""Name under which scores by the loss alone are handed in."""
LIKELIHOOD_RATIO: Final = "likelihood ratio"
"""Name under which its scores are handed in; required where weights are to ship."""


@final
class WithModel:
    """All attacks by scores of the model that were handed in."""

    name = "membership with the model"
    knows = "The weights, and a scan of the person; for the likelihood ratio also how the model was trained."

    def findings(self, evidence: Evidence, limits: Limits, level: float, seed: int) -> tuple[Finding, ...]:  # noqa: ARG002 - the protocol's signature
        """Two findings for each kind of score."""
        found: list[Finding] = []
        for kind, (members, others, _) in evidence.model.items():
            if min(len(members), len(others)) >= FEWEST:
                roc = roc_of(members, others, level)
                found += membership_findings(f"{self.name}: {kind}", roc, limits, min(len(members), len(others)))
        return tuple(found)

    def controls(self, evidence: Evidence) -> tuple[Control, ...]:
        """The same scores of held-out against control subjects."""
        return tuple(
            Control(
                f"held-out against control subjects: {kind}",
                *two_sided(others, strangers),
                min(len(others), len(strangers)),
            )
            for kind, (_, others, strangers) in evidence.model.items()
            if min(len(others), len(strangers)) >= FEWEST
        )


def likelihood_ratios(
    target: Float64[np.ndarray, "subject"],
    shadows: Float64[np.ndarray, "model subject"],
    trained_on: Bool[np.ndarray, "model subject"],
) -> Float64[np.ndarray, "subject"]:
    """Return the log likelihood ratio of each person being a member.

    Args:
        target: Score of each person under the released model, such as minus its loss.
        shadows: The same under each shadow model.
        trained_on: Whether each shadow model was trained on each person.

    Raises:
        CohortError: There are fewer than `SHADOWS` models, or a person is in all or none of them.
    """
    inside = trained_on.sum(axis=0)
    if len(shadows) < SHADOWS or ((inside < 2) | (inside > len(shadows) - 2)).any():
        raise CohortError(
            f"{len(shadows)} shadow models, each person in {inside.min(initial=0)} to {inside.max(initial=0)} of them",
            f"at least {SHADOWS}, each person in at least 2 and left out of at least 2",
            "train further shadow models on random halves of all subjects",
        )
    means, apart = [], []
    for side in (trained_on, ~trained_on):
        mean = np.where(side, shadows, 0).sum(axis=0) / side.sum(axis=0)
        means.append(mean)
        apart.append(np.where(side, shadows - mean, 0))
    scales = [
        np.sqrt((a**2).sum() / max(1, side.sum() - side.shape[1]))
        for a, side in zip(apart, (trained_on, ~trained_on), strict=True)
    ]
    ratio: Float64[np.ndarray, "subject"] = norm.logpdf(target, means[0], max(scales[0], 1e-9)) - norm.logpdf(
        target, means[1], max(scales[1], 1e-9)
    )
    return ratio
