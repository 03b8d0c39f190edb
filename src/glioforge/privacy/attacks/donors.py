"""Donor linkage: whether the subject whose label map a synthetic case was made from is its nearest training subject.

A label map of tissue is a fingerprint, so that linkage is tested by images and by
label maps; an edit of the lesion alone does not hide a donor.  The null hypothesis
permutes donors over the donors' cases.
"""

from typing import Final, final

import numpy as np

from glioforge.core import stream
from glioforge.privacy.bounds import upper_clustered
from glioforge.privacy.evidence import Evidence, Near
from glioforge.privacy.finding import Control, Finding, Limits

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
