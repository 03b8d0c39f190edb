"""Share of synthetic cases whose nearest person is a training subject rather than a held-out one.

Training and held-out subjects are interchangeable if nothing leaks, so that the
variance of the share comes from how often each person is the nearest one, and
not from the number of synthetic cases alone.
"""

from typing import final

import numpy as np
from jaxtyping import Int64
from scipy.stats import norm

from glioforge.core import stream
from glioforge.privacy.evidence import Evidence, Near
from glioforge.privacy.finding import Control, Finding, Limits


@final
class Nearer:
    """The attack."""

    name = "nearer to training"
    knows = "The synthetic cases, and scans of persons of whom some are training subjects."

    def findings(self, evidence: Evidence, limits: Limits, level: float, seed: int) -> tuple[Finding, ...]:
        """The share with its bound, over all views; and each view in the detail."""
        sides, rng = evidence.sides, stream(seed, "audit", "nearer")
        count = min(sides.training, sides.held_out)
        chosen = np.concatenate(
            [
                np.sort(rng.choice(sides.training, count, replace=False)),
                sides.training + np.sort(rng.choice(sides.held_out, count, replace=False)),
            ]
        )
        share, spread = share_nearer(evidence.near, chosen)
        views = {name: round(share_nearer(near, chosen)[0], 4) for name, near in evidence.by_view.items()}
        return (
            Finding(
                self.name,
                "share of synthetic cases that are nearer to a training than to any held-out subject",
                share,
                min(1.0, share + float(norm.isf(level)) * spread),
                limits.nearer,
                float(norm.sf((share - 0.5) / max(spread, 1e-9))),
                0.5,
                evidence.count,
                controlled=True,
                detail={"views": views, "subjects_a_side": count, "standard_error": spread},
            ),
        )

    def controls(self, evidence: Evidence) -> tuple[Control, ...]:
        """Whether control subjects are nearer to held-out subjects than to as many other controls, over the cases."""
        sides = evidence.sides
        count = min(sides.held_out, sides.strangers.stop - sides.strangers.start)
        if count < 2:
            return ()
        chosen = np.concatenate([sides.training + np.arange(count), sides.strangers.start + np.arange(count)])
        share, spread = share_nearer(evidence.near, chosen)
        p = float(2 * norm.sf(abs(share - 0.5) / max(spread, 1e-9)))
        return (Control("held-out against control subjects: nearest", share, p, count),)


def share_nearer(near: Near, people: Int64[np.ndarray, "chosen"]) -> tuple[float, float]:
    """Return the share of cases whose nearest person is of the first half, and its standard error if sides are chance.

    Args:
        near: Nearness to all people.
        people: Places of both sides, the first half and then as many of the other.
    """
    half = len(people) // 2
    nearest = near[:, people].argmax(axis=1)
    shares = np.bincount(nearest, minlength=2 * half) / max(1, len(nearest))
    variance = (np.square(shares).sum() - 1 / (2 * half)) * (2 * half) / (4 * max(1, 2 * half - 1))
    return float(shares[:half].sum()), float(np.sqrt(max(variance, 0.25 / max(1, len(nearest)) / 4)))
