"""Attribute disclosure: what the release alone lets an attacker infer of a training subject, beyond other people.

Two predictors learn on synthetic cases alone what belongs to an anatomy: ridge
regression, and the nearest synthetic case.  They are asked about training and
held-out subjects.  Their errors are freed from what tumour size and site explain,
and the areas under the curve compare both sides: 0.5 says that a training subject
is inferred no better than anybody else, which is knowledge of the population.
"""

from functools import lru_cache
from typing import Final, final

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from glioforge.privacy.evidence import Attribute, Evidence
from glioforge.privacy.finding import Control, Finding, Limits, Scores, roc_of, two_sided
from glioforge.privacy.membership import FEWEST

RIDGE: Final = 1.0
"""Penalty as a multiple of the number of synthetic cases."""


@final
class AttributeDisclosure:
    """The attack."""

    name = "attribute disclosure"
    knows = "The synthetic cases with their labels, and of the person the part that is not sensitive, such as a T1."

    def findings(self, evidence: Evidence, limits: Limits, level: float, seed: int) -> tuple[Finding, ...]:  # noqa: ARG002 - the protocol's signature
        """One finding for each attribute."""
        found = []
        for attribute in evidence.attributes:
            scores = certainty(evidence, attribute)
            members, others = (_known(scores[side]) for side in (evidence.sides.members, evidence.sides.others))
            if min(len(members), len(others)) < FEWEST:
                continue
            roc = roc_of(members, others, level)
            found.append(
                Finding(
                    f"{self.name}: {attribute.name}",
                    "area under the ROC curve: how often a training subject is inferred better than a held-out one",
                    roc.auc,
                    roc.bound,
                    limits.auc,
                    roc.p,
                    0.5,
                    min(len(members), len(others)),
                    controlled=True,
                    detail={"curve": [list(axis) for axis in roc.curve]},
                )
            )
        return tuple(found)

    def controls(self, evidence: Evidence) -> tuple[Control, ...]:
        """The same comparison of held-out and control subjects."""
        found = []
        for attribute in evidence.attributes:
            scores = certainty(evidence, attribute)
            pair = tuple(_known(scores[side]) for side in (evidence.sides.others, evidence.sides.strangers))
            if min(map(len, pair)) >= FEWEST:
                name = f"held-out against control subjects: {attribute.name}"
                found.append(Control(name, *two_sided(pair[0], pair[1]), min(map(len, pair))))
        return tuple(found)


def certainty(evidence: Evidence, attribute: Attribute) -> Scores:
    """Return how well each person is inferred, larger is better: minus the mean rank of both adjusted errors.

    Args:
        evidence: With the anatomies of cases and people.
        attribute: What is inferred.
    """
    errors = []
    for guess in (_ridge(evidence, attribute), _nearest(evidence, attribute)):
        error = np.abs(guess - attribute.people).mean(axis=1)
        left = adjusted(error, evidence.size, evidence.sites)
        known = np.isfinite(left)
        errors.append(np.full(len(left), np.nan))
        errors[-1][known] = rankdata(left[known]) / max(1, known.sum())
    return -np.mean(errors, axis=0)


def adjusted(
    errors: Float64[np.ndarray, "person"], size: Float64[np.ndarray, "person"], sites: np.ndarray
) -> Float64[np.ndarray, "person"]:
    """Return what tumour size and site leave of errors, by least squares; NaN where an error is.

    Args:
        errors: Error of each person.
        size: Logarithm of the tumour volume; the mean stands in where it is not known.
        sites: Site of each person; none where the array is empty.
    """
    known = np.isfinite(errors)
    columns = [np.ones(len(errors))]
    if len(size):
        columns.append(np.where(np.isfinite(size), size, np.nanmean(size) if np.isfinite(size).any() else 0.0))
    columns += [(sites == site).astype(float) for site in np.unique(sites)[1:]]
    design = np.stack(columns, axis=1)
    weights = np.linalg.lstsq(design[known], errors[known], rcond=None)[0]
    return errors - design @ weights


def _ridge(evidence: Evidence, attribute: Attribute) -> Float64[np.ndarray, "person part"]:
    """Values of all people by ridge regression on the anatomies of synthetic cases."""
    made, people = evidence.made_anatomy, evidence.people_anatomy
    middle, mean = made.mean(axis=0), attribute.made.mean(axis=0)
    apart = made - middle
    gram = apart.T @ apart + RIDGE * len(made) * np.eye(made.shape[1])
    return (people - middle) @ np.linalg.solve(gram, apart.T @ (attribute.made - mean)) + mean


def _nearest(evidence: Evidence, attribute: Attribute) -> Float64[np.ndarray, "person part"]:
    """Values of all people by the synthetic case with the nearest anatomy."""
    return attribute.made[_nearest_cases(evidence)]


@lru_cache(maxsize=1)
def _nearest_cases(evidence: Evidence) -> Int64[np.ndarray, "person"]:
    """Place of the synthetic case with the nearest anatomy; the same for all attributes and controls."""
    return cdist(evidence.people_anatomy, evidence.made_anatomy).argmin(axis=1)


def _known(scores: Scores) -> Scores:
    """Scores that are numbers."""
    return scores[np.isfinite(scores)]
