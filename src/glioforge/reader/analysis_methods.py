"""Methods against each other on whatever readers gave: shares, scores, Dice.

The unit is the subject: the answers of all readers to a subject's images of one
method are averaged first.  Methods that were shown on the same subjects are
compared within subjects by flipping signs; others by exchanging subjects.  The
readers are taken as they are, so that a result is about these readers.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np
from jaxtyping import Float

from glioforge.core import stream
from glioforge.reader.mrmc_binary import clustered_q, cochran_q
from glioforge.statistics import ENOUGH_SUBJECTS, Interval, estimate_by_seed, holm, sign_flip_p, wilson

DRAWS = 3000
"""Random exchanges of subjects, and bootstrap samples."""


@final
@dataclass(frozen=True)
class MethodMean:
    """Mean of one method over subjects.

    Args:
        method: Its name.
        mean: Mean over subjects with its interval.
        answers: Answers behind it.
    """

    method: str
    mean: Interval
    answers: int


@final
@dataclass(frozen=True)
class MethodDifference:
    """Two methods compared.

    Args:
        first: Name of the one.
        second: Name of the other.
        difference: Mean of the first minus that of the second.
        paired: Subjects on which both were judged; 0 where the comparison is between subjects.
        p: Two-sided p.
        p_holm: The same, corrected over all pairs by Holm's method.
    """

    first: str
    second: str
    difference: float
    paired: int
    p: float
    p_holm: float


@final
@dataclass(frozen=True)
class Within:
    """Generators compared on the images that each made of the same cases.

    Args:
        cases: Cases on which every reader judged every generator once.
        p: p of Cochran's Q, McNemar's for two generators, with a stratum for each reader and case.
        p_clustered: p with the variance taken between cases, for a case that suits one generator for all readers.
    """

    cases: int
    p: float
    p_clustered: float


@final
@dataclass(frozen=True)
class Means:
    """Means of methods and their differences.

    Args:
        what: What was measured, in words.
        means: Each method.
        differences: Each pair.
        share: Whether it is a share.
        within: Generators compared within reader and case; none where they were not all shown on the same cases.
    """

    what: str
    means: tuple[MethodMean, ...]
    differences: tuple[MethodDifference, ...]
    share: bool
    within: Within | None = None


def method_means(
    values: Float[np.ndarray, "answer"], methods: np.ndarray, subjects: np.ndarray, *, share: bool, seed: int
) -> tuple[MethodMean, ...]:
    """Mean of each method over subjects.

    Args:
        values: What was answered; NaN is passed over.
        methods: Method of each answer.
        subjects: Subject of each answer.
        share: Whether values are 0 or 1; with one answer per subject the interval is then Wilson's.
        seed: Of the bootstrap.
    """
    known = np.isfinite(values)
    found = []
    for method in _names(methods[known]):
        mine = known & (methods == method)
        per_subject = _per_subject(values[mine], subjects[mine])
        means = np.array(list(per_subject.values()))
        if share and len(means) == int(mine.sum()):
            interval = wilson(int(values[mine].sum()), len(means))
        else:
            interval = estimate_by_seed(means[:, None], seed=seed).interval()
        found.append(MethodMean(method, interval, int(mine.sum())))
    return tuple(found)


def method_differences(
    values: Float[np.ndarray, "answer"], methods: np.ndarray, subjects: np.ndarray, *, seed: int
) -> tuple[MethodDifference, ...]:
    """Every pair of methods; arguments as in `method_means`.

    Returns:
        Empty for one method.
    """
    known = np.isfinite(values)
    by_method = {
        method: _per_subject(values[known & (methods == method)], subjects[known & (methods == method)])
        for method in _names(methods[known])
    }
    rows = []
    for one, two in combinations(by_method, 2):
        shared = sorted(by_method[one].keys() & by_method[two].keys())
        first, second = (np.array(list(by_method[name].values())) for name in (one, two))
        if len(shared) >= max(ENOUGH_SUBJECTS, 0.5 * min(len(first), len(second))):
            differences = np.array([by_method[one][s] - by_method[two][s] for s in shared])
            rows.append((one, two, float(differences.mean()), len(shared), sign_flip_p(differences, seed=seed)))
        else:
            rows.append((one, two, float(first.mean() - second.mean()), 0, between_p(first, second, seed=seed)))
    corrected = holm(np.array([row[-1] for row in rows])) if rows else ()
    return tuple(MethodDifference(*row, float(p)) for row, p in zip(rows, corrected, strict=True))


def within_cases(
    values: Float[np.ndarray, "answer"], methods: np.ndarray, subjects: np.ndarray, readers: np.ndarray
) -> Within | None:
    """Compare generators on answers of 0 or 1, where every reader judged all of them on the same cases.

    Args:
        values: 0 or 1, finite.
        methods: Method of each answer; real images and phantoms are left out.
        subjects: Subject of each answer, which is the case.
        readers: Reader of each answer.

    Returns:
        None for one generator, and for fewer than `ENOUGH_SUBJECTS` cases that every reader judged once under each.
    """
    made = ~np.isin(methods, ("real", "phantom", ""))
    names, who = _names(methods[made]), _names(readers[made])
    if len(names) < 2:
        return None
    cases, case = np.unique(subjects[made].astype(str), return_inverse=True)
    place = np.searchsorted(who, readers[made]), case, np.searchsorted(names, methods[made])
    block, counts = np.zeros((len(who), len(cases), len(names))), np.zeros((len(who), len(cases), len(names)))
    np.add.at(block, place, values[made])
    np.add.at(counts, place, 1)
    once = (counts == 1).all(axis=(0, 2))
    if np.count_nonzero(once) < max(ENOUGH_SUBJECTS, len(names) + 1):
        return None
    kept = block[:, once]
    return Within(int(once.sum()), float(cochran_q(kept)), float(clustered_q(kept)))


def between_p(
    first: Float[np.ndarray, "one"], second: Float[np.ndarray, "other"], *, seed: int, draws: int = DRAWS
) -> float:
    """Two-sided p of a difference in means between two groups of subjects, by exchanging subjects.

    Example:
        >>> between_p(np.zeros(10), np.ones(10), seed=0) < 0.001
        True
    """
    both = np.concatenate([first, second])
    # `scipy.stats.permutation_test` doubles the smaller tail; the simulated error rates are of absolute differences.
    order = stream(seed, "between").permuted(np.broadcast_to(np.arange(len(both)), (draws, len(both))), axis=1)
    sums = both[order[:, : len(first)]].sum(axis=1)
    drawn = sums / len(first) - (both.sum() - sums) / len(second)
    observed = first.mean() - second.mean()
    return float((1 + (np.abs(drawn) >= abs(observed) - 1e-9).sum()) / (1 + draws))


def _names(methods: np.ndarray) -> list[str]:
    """Methods, sorted."""
    return sorted(set(methods.tolist()))


def _per_subject(values: Float[np.ndarray, "answer"], subjects: np.ndarray) -> dict[str, float]:
    """Mean of each subject."""
    names, codes = np.unique(subjects.astype(str), return_inverse=True)
    sums = np.bincount(codes, values, minlength=len(names)) / np.bincount(codes, minlength=len(names))
    return dict(zip(names.tolist(), sums.tolist(), strict=True))
