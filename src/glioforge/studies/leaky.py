"""The shuffle of slices over subjects, which leaks: slices of one person are trained on and tested.

Some papers shuffle all slices of a data set and cut the pile into training, validation and test slices.  Neighbouring
slices of a head are nearly the same, so that such a test shows how well a model remembers.  A study that asks for it
gets a fold of its own, in which every subject is cut into three cases of slices, one for each side.

Conventions
-----------
names    `<subject>-train-LEAKY`, so that nobody takes the cases for subjects
lineage  names the subject as well: the firewall of any later use refuses these models for everyone in the study
axis     slices lie across axis 2
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Bool

from glioforge.core import Case, CaseRef, Cohort, Split, split_by_names, stream
from glioforge.data import CASES, write_case
from glioforge.io import COHORT_FILE, read_cohort, write_cohort
from glioforge.report import LEAKY

MARK: Final = LEAKY
FOLDER: Final = "leaky"
"""Folder of the cases of slices below that of the study."""
SIDES: Final = ("train", "validation", "test")
Chosen = Bool[np.ndarray, "slice"]


def write_slices(prepared: Cohort, out: Path, *, test: float, validation: float, seed: int) -> Cohort:
    """Cut every case into one case a side, with the slices of that side; the others are empty.

    Args:
        prepared: Prepared cases.
        out: Folder of the new cohort; one that is there is left as it is.
        test: Share of all slices with brain.
        validation: Likewise.
        seed: Seed of the shuffle.

    Raises:
        OutputError: The folder cannot be written.
    """
    if (out / COHORT_FILE).is_file():
        return read_cohort(out)
    chosen = _shuffled(prepared, {"test": test, "validation": validation}, seed)
    refs = [
        write_case(out / CASES, _part(ref.load(), side, chosen[side][ref.case_id]))
        for ref in prepared
        for side in SIDES
        if chosen[side][ref.case_id].any()
    ]
    cohort = Cohort(f"{prepared.name}-{MARK}", tuple(refs), prepared.scheme, prepared.source)
    write_cohort(cohort, out)
    return cohort


def sides_of(cohort: Cohort) -> Split:
    """Return the sides of a cohort that `write_slices` made."""
    ends = {side: f"-{side}-{MARK}" for side in SIDES}
    names = {side: [s for s in cohort.subject_ids if s.endswith(end)] for side, end in ends.items()}
    return split_by_names(cohort, names)


def promised_sides(cohort: Cohort) -> Split:
    """Return the sides that `write_slices` would make, without files; for plans."""
    refs = [
        replace(ref, case_id=_named(ref.case_id, side), subject_id=_named(ref.subject_id, side))
        for ref in cohort
        for side in SIDES
    ]
    return sides_of(replace(cohort, cases=tuple(refs)))


def person_of(ref: CaseRef) -> dict[str, str]:
    """Return case and subject that a case of slices was cut from, as columns of the results table."""
    side = next(side for side in SIDES if ref.subject_id.endswith(f"-{side}-{MARK}"))
    end = len(_named("", side))
    return {"case_id": ref.case_id[:-end], "subject_id": ref.subject_id[:-end]}


def _named(name: str, side: str) -> str:
    """Name of the part of a case or a subject."""
    return f"{name}-{side}-{MARK}"


def _shuffled(cohort: Cohort, shares: Mapping[str, float], seed: int) -> dict[str, dict[str, Chosen]]:
    """Which slices of each case belong to each side."""
    seen: dict[str, Chosen] = {ref.case_id: np.any(ref.load().brain_mask, axis=(0, 1)) for ref in cohort}
    pile = [(case_id, int(place)) for case_id in sorted(seen) for place in np.flatnonzero(seen[case_id])]
    order = stream(seed, "slice shuffle").permutation(len(pile))
    ends = {side: max(1, round(share * len(pile))) for side, share in shares.items()}
    found = {side: {case_id: np.zeros_like(slices) for case_id, slices in seen.items()} for side in SIDES}
    for rank, place in enumerate(order):
        case_id, number = pile[int(place)]
        inner = rank < ends["test"] + ends["validation"]
        side = "test" if rank < ends["test"] else "validation" if inner else "train"
        found[side][case_id][number] = True
    return found


def _part(case: Case, side: str, slices: Chosen) -> Case:
    """The case with these slices alone."""
    labels = case.require_labels()
    lineage = replace(case.lineage, subjects=(_named(case.subject_id, side),))
    return replace(
        case,
        case_id=_named(case.case_id, side),
        subject_id=_named(case.subject_id, side),
        images={m: replace(v, voxels=v.voxels * slices.astype(np.float32)) for m, v in case.images.items()},
        lineage=lineage.through(f"other slices, {MARK}", case.lineage),
        labels=labels.with_voxels(labels.voxels * slices.astype(labels.voxels.dtype)),
        brain=case.brain_mask & slices,
    )
