"""Copy rate: synthetic cases that are near copies of training subjects, as the excess over held-out subjects.

One threshold decides for all.  It lies between the nearest pair of different people
and the planted copies of the disguise that is hardest to find, nearer to these, and
the share of planted copies beyond it is the power of the search.  People, not cases, are
counted for the test: were nothing copied, those hit would be training subjects as
often as held-out ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from scipy.stats import hypergeom

from glioforge.privacy.bounds import upper_clustered, upper_difference, upper_share
from glioforge.privacy.evidence import Evidence
from glioforge.privacy.finding import Control, Finding, Limits

MISSED: Final = 0.05
"""Share of the planted copies of a disguise that may lie below the upper end of the threshold's range."""
PLACE: Final = 0.9
"""Place of the threshold between different people (0) and planted copies (1): strangers among many cases come nearer
than those among the control subjects."""
CAUGHT: Final = 0.95
"""Share of the planted copies of each disguise that must be found for the audit to conclude anything."""


@final
@dataclass(frozen=True)
class Threshold:
    """Nearness from which on a pair counts as a near copy.

    Args:
        value: The threshold.
        different: Largest nearness of a control subject to a training subject: different people.
        planted: Nearness beyond which all but `MISSED` of the copies lie, of the disguise that is hardest to find.
        caught: Share of planted copies that are found, by disguise.
        recalled: Share of planted copies whose source is the nearest person of all.
    """

    value: float
    different: float
    planted: float
    caught: Mapping[str, float]
    recalled: float

    @property
    def has_power(self) -> bool:
        """Whether enough planted copies of every disguise are found."""
        return bool(self.caught) and min(self.caught.values()) >= CAUGHT


def threshold_of(evidence: Evidence) -> Threshold:
    """Set the threshold from different people and planted copies, without looking at synthetic cases' hits.

    Args:
        evidence: With planted copies; without any, nothing is found and the search has no power.
    """
    stranger = evidence.near_people[:, evidence.sides.members]
    different = float(stranger.max(initial=0.0))
    own = evidence.near_planted[np.arange(len(evidence.sources)), evidence.sources]
    kinds = np.array(evidence.kinds)
    if not len(own):
        return Threshold(np.inf, different, np.nan, {}, np.nan)
    planted = min(_reached(own[kinds == kind]) for kind in dict.fromkeys(evidence.kinds))
    usual = float(np.quantile(stranger.max(axis=1, initial=0.0), 0.99)) if len(stranger) else different
    value = different + PLACE * (planted - different) if planted > different else max(planted, usual)
    caught = {kind: float((own[kinds == kind] > value).mean()) for kind in dict.fromkeys(evidence.kinds)}
    nearest = evidence.near_planted.argmax(axis=1) == evidence.sources
    return Threshold(value, different, planted, caught, float(nearest.mean()))


def _reached(near: np.ndarray) -> float:
    """Nearness beyond which all but `MISSED` of some planted copies lie."""
    least = np.sort(near)[int(MISSED * len(near))]
    return float(np.nextafter(least, -np.inf, dtype=near.dtype))


def near_copies(evidence: Evidence, threshold: Threshold) -> tuple[tuple[int, int, float], ...]:
    """Return synthetic cases with the training subject whom they are near copies of, and their nearness, nearest first.

    This is a screening: no hit is no proof of absence.
    """
    near = evidence.near[:, evidence.sides.members]
    best = near.argmax(axis=1) if near.size else np.zeros(0, int)
    score = near[np.arange(len(best)), best]
    hits = np.flatnonzero(score > threshold.value)
    return tuple((int(n), int(best[n]), float(score[n])) for n in hits[np.argsort(-score[hits], kind="stable")])


@final
class CopyRate:
    """The attack."""

    name = "copy rate"
    knows = "The synthetic cases, and scans of the person: mirrored, shifted, turned, blurred or of another contrast."

    def findings(self, evidence: Evidence, limits: Limits, level: float, seed: int) -> tuple[Finding, ...]:  # noqa: ARG002 - the protocol's signature
        """Excess share of near copies of training subjects, divided by the share of planted copies found."""
        threshold, sides = threshold_of(evidence), evidence.sides
        near, count = evidence.near > threshold.value, evidence.count
        ours, theirs = near[:, sides.members], near[:, sides.others]
        hits, false = int(ours.any(axis=1).sum()), int(theirs.any(axis=1).sum())
        clusters = np.where(evidence.donors >= 0, evidence.donors, sides.training + np.arange(count))
        per = sides.training / max(1, sides.held_out)
        power = max(min(threshold.caught.values(), default=0.0), 1e-9)
        excess = upper_difference((hits, count), (false * per, count), level)
        clustered = (
            upper_clustered(np.asarray(ours.any(axis=1)), clusters, level) if hits else upper_share(0, count, level)
        )
        bound = max(excess, clustered - false * per / count) / power
        people = int(ours.any(axis=0).sum()), int(theirs.any(axis=0).sum())
        law = hypergeom(sides.training + sides.held_out, sides.training, sum(people))
        return (
            Finding(
                self.name,
                "near copies of training subjects among synthetic cases, beyond those of held-out subjects",
                (hits - false * per) / count,
                min(1.0, bound),
                limits.copies,
                float(law.sf(people[0] - 1)),
                0.0,
                count,
                detail={
                    "cases_near_training": hits,
                    "cases_near_held_out": false,
                    "training_subjects_hit": people[0],
                    "held_out_subjects_hit": people[1],
                    "threshold": threshold.value,
                    "different_people": threshold.different,
                    "planted": threshold.planted,
                    "caught": dict(threshold.caught),
                    "source_is_nearest": threshold.recalled,
                },
            ),
        )

    def controls(self, evidence: Evidence) -> tuple[Control, ...]:  # noqa: ARG002 - the protocol's signature
        """None: held-out subjects are counted by the same threshold within the attack."""
        return ()
