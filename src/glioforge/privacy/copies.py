"""Attacks by nearness: copies of training subjects, donors of label maps, and who is nearest.

Copy rate: synthetic cases that are near copies of training subjects, as the excess over held-out subjects.
One threshold decides for all.  It lies between the nearest pair of different people
and the planted copies of the disguise that is hardest to find, nearer to these, and
the share of planted copies beyond it is the power of the search.  People, not cases, are
counted for the test: were nothing copied, those hit would be training subjects as
often as held-out ones.

Donor linkage: whether the subject whose label map a synthetic case was made from is its nearest training subject.
A label map of tissue is a fingerprint, so that linkage is tested by images and by
label maps; an edit of the lesion alone does not hide a donor.  The null hypothesis
permutes donors over the donors' cases.

Nearer to training: share of synthetic cases whose nearest person is a training subject rather than a held-out one.
Training and held-out subjects are interchangeable if nothing leaks, so that the
variance of the share comes from how often each person is the nearest one, and
not from the number of synthetic cases alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Int64
from scipy.stats import hypergeom, norm

from glioforge.core import stream
from glioforge.privacy.evidence import Evidence, Near
from glioforge.privacy.finding import Control, Finding, Limits, upper_clustered, upper_difference, upper_share

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


PERMUTATIONS: Final = 1999


@final
class DonorLinkage:
    """The attack."""

    name = "donor linkage"
    knows = "The synthetic cases, and scans or label maps of the training subjects: which of them is behind a case?"

    def findings(self, evidence: Evidence, limits: Limits, level: float, seed: int) -> tuple[Finding, ...]:
        """One finding by all views and one by label maps; nothing where no case has a training subject's label map."""
        known = evidence.donors >= 0
        if not known.any():
            return ()
        sides = {"images and label maps": evidence.near, "label maps": evidence.near_labels}
        return tuple(
            self._finding(
                what, near[known][:, evidence.sides.members], evidence.donors[known], limits.linkage, level, seed
            )
            for what, near in sides.items()
            if near.shape[1]
        )

    def controls(self, evidence: Evidence) -> tuple[Control, ...]:  # noqa: ARG002 - the protocol's signature
        """None: the permutation of donors is the control."""
        return ()

    def _finding(self, what: str, near: Near, donors: np.ndarray, limit: float, level: float, seed: int) -> Finding:
        """Linkage by one measure of nearness."""
        own = near[np.arange(len(near)), donors]
        nearer = (near > own[:, None]).sum(axis=1)
        linked = nearer == 0
        nearest = near.argmax(axis=1)
        names, place = np.unique(donors, return_inverse=True)
        # Cases of a donor stay together, which `scipy.stats.permutation_test` cannot do.
        rng = stream(seed, "audit", "donors", what)
        drawn = np.array([(names[rng.permutation(len(names))][place] == nearest).sum() for _ in range(PERMUTATIONS)])
        p = (1 + int((drawn >= linked.sum()).sum())) / (PERMUTATIONS + 1)
        return Finding(
            f"{self.name} by {what}",
            "synthetic cases whose donor is the nearest of all training subjects",
            float(linked.mean()),
            upper_clustered(linked, donors, level),
            limit,
            p,
            float(drawn.mean() / len(near)),
            len(near),
            detail={
                "donors": len(names),
                "linked_cases": int(linked.sum()),
                "median_of_subjects_nearer_than_the_donor": float(np.median(nearer)),
                "fewest_subjects_nearer_than_the_donor": int(nearer.min()),
                "tenth_percentile_of_subjects_nearer_than_the_donor": float(np.quantile(nearer, 0.1)),
            },
        )


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
