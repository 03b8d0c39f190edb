"""Splits of a cohort by subject, never by slice or by case.

Every split gives three cohorts that share no subject.  Subjects are shuffled
within strata (grade, site, tumour size) and dealt out evenly, so that no side
gets all the large tumours.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Int

from glioforge.core.case import CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.names import counted
from glioforge.core.rng import stream

Stratum = Callable[[CaseRef], str]


@final
@dataclass(frozen=True)
class Split:
    """Three cohorts that share no subject.

    Args:
        train: What models are fitted to.
        validation: What models are chosen on.
        test: What they are judged on.

    Raises:
        CohortError: A subject lies on two sides.
    """

    train: Cohort
    validation: Cohort
    test: Cohort

    def __post_init__(self) -> None:
        subjects = [s for side in (self.train, self.validation, self.test) for s in side.subject_ids]
        doubled = sorted(s for s, count in Counter(subjects).items() if count > 1)
        if doubled:
            raise CohortError(f"subjects on two sides: {doubled}", "each subject on one side", "split by subject")


def size_stratum(ref: CaseRef) -> str:
    """Stratum by grade, site and whether the tumour is larger than 40 ml, as far as known."""
    volume = ref.facts.get("tumour_ml")
    size = "" if volume is None else ("large" if float(volume) > 40 else "small")
    return "/".join([str(ref.facts.get("grade", "")), str(ref.facts.get("site", "")), size])


def split_by_subject(
    cohort: Cohort, *, test: float, validation: float, seed: int, stratum: Stratum = size_stratum
) -> Split:
    """Split so that no subject lies on two sides and strata are spread evenly.

    Subjects are shuffled within strata, dealt out in one sequence, and each
    side takes evenly spaced places of it.

    Args:
        cohort: At least one subject for each side that is not left out.
        test: Share of subjects for testing, in [0, 1); at least one subject unless it is 0.
        validation: Share for model selection, in [0, 1); at least one subject unless it is 0.
        seed: Seed of the shuffle.
        stratum: Names a case's stratum; a subject's case of the smallest id counts.

    Raises:
        CohortError: Shares are impossible or there are too few subjects.
    """
    subjects = list(cohort.subject_ids)
    count = len(subjects)
    if not (0 <= test < 1 and 0 <= validation < 1 and test + validation < 1):
        raise CohortError(
            f"shares test {test}, validation {validation}",
            "numbers from 0 with a sum below 1",
        )
    sides = ["train", *(["validation"] if validation else []), *(["test"] if test else [])]
    if count < len(sides):
        raise CohortError(
            counted(count, "subject"),
            f"at least {len(sides)}, one for each of {', '.join(sides)}",
            "add subjects",
            cohort.where,
        )
    n_test = min(max(1, round(test * count)), count - len(sides) + 1) if test else 0
    n_validation = min(max(1, round(validation * count)), count - n_test - 1) if validation else 0
    order = _dealt_by_stratum(cohort, stratum, seed)
    test_ids = {order[int(p)] for p in _evenly(count, n_test)}
    rest = [s for s in order if s not in test_ids]
    validation_ids = {rest[int(p)] for p in _evenly(len(rest), n_validation)}
    return _sides(cohort, set(rest) - validation_ids, validation_ids, test_ids)


def folds_by_subject(
    cohort: Cohort, *, folds: int, validation: float, seed: int, stratum: Stratum = size_stratum
) -> tuple[Split, ...]:
    """Divide into folds so that every subject is tested exactly once.

    A fold's validation subjects are the test subjects of the folds after it,
    so that they differ from fold to fold, and strata are spread over all sides.

    Args:
        cohort: Enough subjects that two are left beside the largest test side.
        folds: Number of splits, at least 2 and at most the number of subjects.
        validation: Share of a fold's remaining subjects for model selection, in
            (0, 1); at least one subject, and at least one stays for training.
        seed: Seed of the shuffle.
        stratum: Names a case's stratum; a subject's case of the smallest id counts.

    Raises:
        CohortError: The share is impossible or there are too few subjects.
    """
    count = len(cohort.subject_ids)
    if not 0 < validation < 1:
        raise CohortError(f"validation share {validation}", "a number in (0, 1)", where=cohort.where)
    if not 2 <= folds <= count or count - math.ceil(count / folds) < 2:
        raise CohortError(
            f"{folds} folds of {counted(count, 'subject')}",
            "at least two folds, a test subject in each, and two more subjects for training and validation",
            "add subjects, or set fewer `folds`",
            cohort.where,
        )
    order = _dealt_by_stratum(cohort, stratum, seed)
    return tuple(_fold(cohort, order, folds, index, validation) for index in range(folds))


def split_in_order(cohort: Cohort, *, first: float, validation: float, seed: int) -> Split:
    """Test the last subjects in the order of their names, as some papers do; sites and grades are often not spread.

    Args:
        cohort: At least one subject for each side.
        first: Share of subjects, the first ones, for training and validation, in (0, 1).
        validation: Share of these for model selection, in (0, 1); drawn with strata spread evenly.
        seed: Seed of that draw.

    Raises:
        CohortError: There are too few subjects.
    """
    names = sorted(cohort.subject_ids)
    count = min(max(round(first * len(names)), 2), len(names) - 1)
    return _apart(cohort, set(names[count:]), validation, seed)


def split_by_site(cohort: Cohort, *, validation: float, seed: int, test: Iterable[str] = ()) -> tuple[Split, ...]:
    """Test on sites that nothing was trained on: the sites named in one split, or each site in one of its own.

    Args:
        cohort: Cases with the fact `site`; those of a subject are of one site.
        validation: Share of the other subjects for model selection, in (0, 1).
        seed: Seed of that draw.
        test: Sites to test on; each in turn unless given.

    Raises:
        CohortError: A case has no site, a subject several, there is one site alone, or one named that is not there.
    """
    sites: defaultdict[str, set[str]] = defaultdict(set)
    for ref in cohort:
        sites[str(ref.facts.get("site") or "")].add(ref.subject_id)
    doubled = sorted(s for s, n in Counter(s for people in sites.values() for s in people).items() if n > 1)
    unknown = sorted(set(test) - sites.keys())
    if "" in sites or doubled or unknown or len(sites) < 2:
        what = {
            f"subjects without a site: {sorted(sites.get('', ()))[:5]}": "" in sites,
            f"subjects of several sites: {doubled[:5]}": bool(doubled),
            f"no site {unknown}": bool(unknown),
        }
        found = [text for text, wrong in what.items() if wrong] or [f"{counted(len(sites), 'site')}"]
        raise CohortError(
            "; ".join(found),
            f"the site of every subject, and at least two sites; known are {sorted(filter(None, sites))}",
            "name sites in the table of the scans, or split otherwise",
            cohort.where,
        )
    tested = [set().union(*(sites[name] for name in test))] if list(test) else [sites[name] for name in sorted(sites)]
    return tuple(_apart(cohort, people, validation, seed) for people in tested)


def _apart(cohort: Cohort, test: set[str], validation: float, seed: int) -> Split:
    """Test these subjects, and divide the others with strata spread evenly."""
    others = cohort.of_subjects(set(cohort.subject_ids) - test, cohort.name)
    inner = split_by_subject(others, test=0, validation=validation, seed=seed)
    return _sides(cohort, set(inner.train.subject_ids), set(inner.validation.subject_ids), test)


def split_by_names(cohort: Cohort, sides: Mapping[str, Iterable[str]]) -> Split:
    """Split by subjects named for `train`, `validation` and `test`.

    Args:
        cohort: Cases to divide; those of subjects that no side names are left out.
        sides: Subject ids of each side; a side may be missing or empty.

    Raises:
        CohortError: A side or a subject is unknown, or a subject is named for two sides.
    """
    strange = sorted(set(sides) - {"train", "validation", "test"})
    if strange:
        raise CohortError(f"sides {strange}", "train, validation and test", where=cohort.where)
    names = {side: list(sides.get(side, ())) for side in ("train", "validation", "test")}
    unknown = sorted({s for chosen in names.values() for s in chosen} - set(cohort.subject_ids))
    if unknown:
        raise CohortError(f"unknown subjects {unknown}", "subjects of the cohort", where=cohort.where)
    return _sides(cohort, set(names["train"]), set(names["validation"]), set(names["test"]))


def _fold(cohort: Cohort, order: Sequence[str], folds: int, index: int, validation: float) -> Split:
    """Split number `index`: every `folds`-th subject of the order is tested."""
    test_ids = set(order[index::folds])
    remaining = len(order) - len(test_ids)
    wanted = min(max(1, round(validation * remaining)), remaining - 1)
    validation_ids: set[str] = set()
    for step in range(1, folds):
        following = order[(index + step) % folds :: folds]
        taken = min(wanted - len(validation_ids), len(following))
        validation_ids |= {following[int(p)] for p in _evenly(len(following), taken)}
    return _sides(cohort, set(order) - test_ids - validation_ids, validation_ids, test_ids)


def _sides(cohort: Cohort, train: set[str], validation: set[str], test: set[str]) -> Split:
    """The three cohorts of these subjects, named after the whole."""
    return Split(
        cohort.of_subjects(train, f"{cohort.name}-train"),
        cohort.of_subjects(validation, f"{cohort.name}-validation"),
        cohort.of_subjects(test, f"{cohort.name}-test"),
    )


def _dealt_by_stratum(cohort: Cohort, stratum: Stratum, seed: int) -> list[str]:
    """Subjects, shuffled within each stratum, stratum after stratum."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for ref in sorted(cohort, key=lambda ref: ref.case_id):
        if ref.subject_id not in seen:
            seen.add(ref.subject_id)
            groups[stratum(ref)].append(ref.subject_id)
    dealt: list[str] = []
    for name in sorted(groups):
        members = sorted(groups[name])
        dealt += [members[int(n)] for n in stream(seed, "split", name).permutation(len(members))]
    return dealt


def _evenly(count: int, chosen: int) -> Int[np.ndarray, "chosen"]:
    """Evenly spaced places, `chosen` out of `count`; none for 0."""
    if chosen == 0:
        return np.zeros(0, dtype=int)
    return np.floor((np.arange(chosen) + 0.5) * count / chosen).astype(int)
