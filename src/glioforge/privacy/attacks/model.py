"""Membership with the model in hand: scores of its discriminator, its loss, and the likelihood-ratio attack.

The likelihood-ratio attack compares the score of a person under the released
model with the scores under shadow models trained with and without that person
(Carlini et al. 2022, arXiv:2112.03570, section V, with one variance for all persons
because shadow models are few).
"""

from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float64
from scipy.stats import norm

from glioforge.core import CohortError
from glioforge.privacy.attacks.membership import FEWEST, membership_findings
from glioforge.privacy.bounds import roc_of, two_sided
from glioforge.privacy.evidence import Evidence
from glioforge.privacy.finding import Control, Finding, Limits

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
