"""Derive new cases from each case of a cohort, keep those that are there, and say what was left out."""

from collections.abc import Callable, Iterable
from pathlib import Path

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import CaseRef, Cohort, EditError, Progress
from glioforge.data.store import find_case

Derived = tuple[list[CaseRef], list[str]]
"""References of the cases derived from one, and what was left out and why."""


def derived_or_left_out(out: Path, case_ids: Iterable[str], write: Callable[[str], CaseRef]) -> Derived:
    """Write the cases of these ids that the store does not hold yet.

    Args:
        out: Store of the new cases.
        case_ids: Their ids.
        write: Makes and writes a case; an `EditError` leaves it out.
    """
    made, left_out = [], []
    for case_id in case_ids:
        try:
            made.append(find_case(out, case_id) or write(case_id))
        except EditError as error:
            left_out.append(f"{case_id} is left out: {error}")
    return made, left_out


def derive(
    job: Callable[[CaseRef], Derived],
    cohort: Cohort,
    parallel: ParallelSpec | None,
    *,
    title: str,
    remedy: str,
    progress: Progress,
) -> tuple[CaseRef, ...]:
    """Derive cases from every case of a cohort, in its order.

    Args:
        job: Derives the cases of one; picklable.
        cohort: Cases to start from.
        parallel: How the work is spread.
        title: What is made, for progress and messages, such as `edited cases`.
        remedy: What to do where no case could be made.
        progress: Where progress is shown, and what is left out.

    Raises:
        EditError: Cases were left out, and none was made.
    """
    made: list[CaseRef] = []
    reasons: list[str] = []
    for refs, left_out in fan_out(job, cohort, parallel, title=title, progress=progress):
        made += refs
        reasons += left_out
    for reason in reasons:
        progress.say(reason)
    if reasons and not made:
        raise EditError(f"no {title}: {reasons[0]}", "at least one", remedy)
    return tuple(made)
