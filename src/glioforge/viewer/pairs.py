"""Which cases belong side by side: a synthetic or edited case and the case that it was made from.

Conventions
-----------
parent   the partner's labels, lesion or style went into the case: it is shown on the left
child    the partner was made from the case: it is shown on the right
same     the same case or the same subject of another cohort, or the only two cases there are: shown on the right
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, final

from glioforge.core import CohortError
from glioforge.viewer.listed import Listed

Role = Literal["parent", "child", "same"]


@final
@dataclass(frozen=True)
class Partner:
    """A case that another may be shown with.

    Args:
        number: Its place among all cases.
        role: What it is to the other.
    """

    number: int
    role: Role


def partners(cases: Sequence[Listed], others: Sequence[Listed] = ()) -> list[tuple[Partner, ...]]:
    """Find the partners of each case, best first.

    Args:
        cases: Cases of the list.
        others: Cases of the cohort to compare with; their numbers follow those of `cases`.  Where there are none,
            partners are found among the cases themselves, by lineage alone.

    Returns:
        The partners of each of `cases`; none where nothing belongs to it.

    Raises:
        CohortError: There are others, and none belongs to any case.

    Example:
        >>> scan = Listed("a", "scans", "real", load=lambda: None)
        >>> made = Listed("a-syn000", "made", "synthetic", load=lambda: None, parents=("a",))
        >>> partners([made], [scan])
        [(Partner(number=1, role='parent'),)]
    """
    offset = len(cases) if others else 0
    pool = list(enumerate(others or cases, start=offset))
    ids, children, subjects = _tables(pool)
    found = []
    for number, case in enumerate(cases):
        own = [Partner(n, "parent") for parent in case.parents for n in ids[parent]]
        own += [Partner(n, "child") for n in children[case.case_id]]
        if others:
            alike = ids[case.case_id] or ([] if own else subjects[case.subject_id])
            own += [Partner(n, "same") for n in alike]
        found.append(tuple(partner for partner in dict.fromkeys(own) if partner.number != number))
    if others and len(cases) == len(others) == 1 and not found[0]:
        return [(Partner(1, "same"),)]
    if others and not any(found):
        raise CohortError(
            f"no case of {others[0].cohort} that belongs to one of {cases[0].cohort}" if cases else "no case",
            "a cohort made from the other, or two of the same cases",
            "give the cohort that the cases were made from, or one case each",
        )
    return found


def _tables(
    pool: Iterable[tuple[int, Listed]],
) -> tuple[dict[str, list[int]], dict[str, list[int]], dict[str | None, list[int]]]:
    """Numbers by case id, by id of a parent, and by subject."""
    ids: defaultdict[str, list[int]] = defaultdict(list)
    children: defaultdict[str, list[int]] = defaultdict(list)
    subjects: defaultdict[str | None, list[int]] = defaultdict(list)
    for number, case in pool:
        ids[case.case_id].append(number)
        for parent in case.parents:
            children[parent].append(number)
        if case.subject_id is not None:
            subjects[case.subject_id].append(number)
    return ids, children, subjects
