"""Audit the synthetic cases of a route against training, held-out and control subjects of a fold."""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from glioforge.core import Cohort, stream
from glioforge.privacy import AuditSpec, Judgement, judge, plan_audit, require_disjoint, sizes_of, told_apart
from glioforge.runs import DESCRIBED, Gathered, gather, sighted
from glioforge.studies import Context, Record, cohort_in
from glioforge.studies.steps.synthesize import MADE

FEWEST: Final = 2
"""Held-out and control subjects without which nothing can be compared."""


def audit_route(context: Context, *, rules: AuditSpec, seed: int) -> Record:
    """Attack the cases that passed the filters, and judge them by the gate.

    Training and validation subjects are the training side of the audit, as both have a part in generators; half of
    the unseen subjects are held-out and half are control subjects.  A study is no release, so that nothing is noted
    in the book of audits.

    Args:
        context: The task; reads all sides, and needs cases and their screening.
        rules: Rules of the audit.
        seed: Seed of the halves.

    Returns:
        A record whose `details` hold verdict, findings and the likeness of draws; left out where subjects are too few.
    """
    screened, test = context.need("synthetic"), context.cohort("test")
    kept = set(screened.made["kept"]) if screened else set()
    release = cohort_in(context.place("cases") / MADE)
    release = replace(release, cases=tuple(ref for ref in release if ref.case_id in kept))
    training = context.cohort("train") + context.cohort("validation")
    order = stream(seed, "audit sides").permutation(len(test.subject_ids))
    halves = [[test.subject_ids[n] for n in order[part::2]] for part in (0, 1)]
    if min(map(len, halves)) < FEWEST or not len(release):
        return context.record(left_out=f"{len(test.subject_ids)} unseen subjects and {len(release)} cases")
    held_out, control = (
        test.of_subjects(half, name) for half, name in zip(halves, ("held out", "control"), strict=True)
    )
    cohorts = (release, training, held_out, control)
    require_disjoint(*cohorts)
    gathered = gather(cohorts, context.folder, rules, model={}, parallel=None, progress=context.progress)
    found = judge(gathered.evidence, rules, lacking=told_apart(gathered.sets))
    details = details_of(found) | {
        "plan": str(plan_audit(sizes_of(gathered.evidence), rules)),
        "sizes": vars(sizes_of(gathered.evidence)),
        "draws_apart": draws_apart(_pictures(gathered, context), gathered.evidence.donors),
        "shown": shown_cases(release, training),
    }
    return context.record(details=details)


def _pictures(gathered: Gathered, context: Context) -> np.ndarray:
    """Coarse pictures of the cases, `(case, cell)`, which the audit has kept."""
    folder, progress = context.folder / DESCRIBED, context.progress
    seen = sighted(gathered.made, gathered.modalities, folder, title="synthetic cases", progress=progress)
    return np.stack([one.coarse.ravel() for one in seen])


def details_of(found: Judgement) -> dict[str, Any]:
    """A judgement as plain values, without curves."""
    rows = [decided.to_json() for decided in found.findings]
    for row in rows:
        row["detail"] = {name: value for name, value in row["detail"].items() if name != "curve"}
    return {
        "verdict": found.verdict,
        "reasons": list(found.reasons),
        "notes": list(found.notes),
        "findings": rows,
        "quarantined": len(found.quarantine),
        "caught": dict(found.threshold.caught),
    }


def draws_apart(points: np.ndarray, donors: np.ndarray) -> float | None:
    """Return how far draws of one donor's map are from each other, as a share of the distance between donors.

    Args:
        points: Pictures of the cases, `(case, cell)`.
        donors: Donor of each case; -1 for none.

    Returns:
        0 where all draws are alike, 1 where they differ as different donors do; none without two draws of a map.

    Example:
        >>> draws_apart(np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1]))
        0.25
    """
    known = donors >= 0
    points, donors = points[known], donors[known]
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    same = donors[:, None] == donors[None]
    other, same = ~same, same & ~np.eye(len(donors), dtype=bool)
    if not same.any() or not other.any() or apart[other].mean() <= 0:
        return None
    return float(apart[same].mean() / apart[other].mean())


def shown_cases(release: Cohort, training: Cohort, most: int = 3) -> dict[str, Any]:
    """Return a training case with the first cases that were made of its map, or the first cases of all."""
    ids = {ref.case_id for ref in training}
    for donor in sorted(ids):
        made = [ref.case_id for ref in release if donor in ref.lineage.parents]
        if made:
            return {"donor": donor, "cases": made[:most]}
    return {"donor": "", "cases": [ref.case_id for ref in release.cases[:most]]}
