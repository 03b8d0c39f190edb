"""Which method do readers prefer?  Shares of comparisons won, and Bradley-Terry strengths.

Two methods make an image of one label map, and the reader says which is the
better scan.  The chance that method a is preferred to b is
logistic(strength a - strength b + side effect), fitted by logistic regression;
half a comparison won each way is added to every pair that was compared, so that
a method that always wins has a finite strength.  Standard errors are clustered
by subject.

Sides are drawn at random, so that without a preference the method that was
chosen is as random as the sides: the tests exchange methods within comparisons
and are exact, whatever bias a reader has for a side.

Sources: Bradley & Terry, Biometrika 39 (1952); Davidson & Beaver, Biometrics 33
(1977) for the effect of the order; Guo et al. 2020, table 1, for the rates.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np
from jaxtyping import Float64, Int

from glioforge.core import CohortError, stream
from glioforge.reader.answers import Answer
from glioforge.statistics import Interval, binomial_p, holm, wilson

DRAWS = 3000
"""Random exchanges of methods."""


@final
@dataclass(frozen=True)
class Comparisons:
    """Comparisons of pairs as arrays.

    Args:
        methods: Names, sorted.
        first: Number of the one method.
        second: Number of the other.
        won: 1 where the first was preferred, 0 where the second was, 1/2 for both equal.
        left: Whether the first was shown on the left.
        subjects: Subject of each comparison.
    """

    methods: tuple[str, ...]
    first: Int[np.ndarray, "comparison"]
    second: Int[np.ndarray, "comparison"]
    won: Float64[np.ndarray, "comparison"]
    left: np.ndarray
    subjects: np.ndarray


@final
@dataclass(frozen=True)
class Strength:
    """How a method fares.

    Args:
        method: Its name.
        rate: Share of decided comparisons that it won, with Wilson's interval.
        equal: Comparisons in which both were equally good.
        strength: Bradley-Terry strength, difference from the mean of all methods in log odds, with its interval.
    """

    method: str
    rate: Interval
    equal: int
    strength: Interval


@final
@dataclass(frozen=True)
class Preference:
    """What all comparisons show.

    Args:
        strengths: Each method, the strongest first.
        p: p that all methods are equally preferred.
        pairs: First method, second method, decided comparisons won by the first, decided comparisons, Holm-corrected p.
        said_left: Share of decided comparisons in which the left image was preferred.
    """

    strengths: tuple[Strength, ...]
    p: float
    pairs: tuple[tuple[str, str, int, int, float], ...]
    said_left: Interval


def comparisons(answers: Sequence[Answer]) -> Comparisons:
    """Take the comparisons from answers of kind `preference`; practice and repeats are left out.

    Raises:
        CohortError: There is none.
    """
    rows = [a for a in answers if a.kind == "preference" and not a.practice and not a.repeat_of]
    if not rows:
        raise CohortError("no answers of kind preference", "comparisons of two methods")
    methods = sorted({name for a in rows for name in (a.method, a.other)})
    number = {name: place for place, name in enumerate(methods)}
    return Comparisons(
        tuple(methods),
        np.array([number[a.method] for a in rows]),
        np.array([number[a.other] for a in rows]),
        np.array([0.5 if a.preferred is None else float(a.preferred == a.method) for a in rows]),
        np.array([a.side == "left" for a in rows]),
        np.array([a.subject for a in rows]),
    )


def preferences(given: Comparisons, *, seed: int) -> Preference:
    """Rates, strengths and tests.

    Args:
        given: The comparisons.
        seed: Of the test that all methods are alike.
    """
    decided = given.won != 0.5
    strengths = bradley_terry(given)
    rows = []
    for place, name in enumerate(given.methods):
        mine = (given.first == place) | (given.second == place)
        wins = np.where(given.first == place, given.won, 1 - given.won)
        rate = wilson(int(wins[mine & decided].sum()), int((mine & decided).sum()))
        rows.append(Strength(name, rate, int((mine & ~decided).sum()), strengths[place]))
    on_left = decided & ((given.won == 1) == given.left)
    return Preference(
        tuple(sorted(rows, key=lambda row: -row.strength.estimate)),
        equal_p(given, seed=seed),
        _pairs(given, decided),
        wilson(int(on_left.sum()), int(decided.sum())),
    )


def bradley_terry(given: Comparisons) -> tuple[Interval, ...]:
    """Strength of each method in log odds from the mean of all, with 95 % intervals clustered by subject."""
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    count = len(given.methods)
    design, won, groups = _augmented(given)
    basis = np.eye(count)[:, :-1] - np.eye(count)[:, -1:]
    columns = np.column_stack([design[:, :count] @ basis, design[:, count]])
    used = columns if np.linalg.matrix_rank(columns) == columns.shape[1] else columns[:, :-1]
    with warnings.catch_warnings():
        # A method that always wins is separated but for the half comparison that was added.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        fit = GLM(won, used, family=Binomial()).fit(cov_type="cluster", cov_kwds={"groups": groups})
    free = count - 1
    strengths = basis @ fit.params[:free]
    errors = np.sqrt(np.einsum("ma,ab,mb->m", basis, np.asarray(fit.cov_params())[:free, :free], basis))
    subjects = len(set(given.subjects.tolist()))
    return tuple(
        Interval(float(s), float(s - 1.96 * e), float(s + 1.96 * e), 0.95, subjects)
        for s, e in zip(strengths, errors, strict=True)
    )


def equal_p(given: Comparisons, *, seed: int, draws: int = DRAWS) -> float:
    """Return p that all methods are equally preferred, exchanging the methods within comparisons.

    Args:
        given: The comparisons.
        seed: Of the exchanges.
        draws: Number of exchanges.
    """
    lead = 2 * given.won - 1
    count = len(given.methods)
    design = np.eye(count)[given.first] - np.eye(count)[given.second]
    size = np.maximum(np.abs(design).sum(axis=0), 1)
    signs = 1 - 2 * stream(seed, "preference").integers(0, 2, (draws, len(lead)), dtype=np.int8)
    observed = ((lead @ design) ** 2 / size).sum()
    drawn = (((signs * lead) @ design) ** 2 / size).sum(axis=1)
    return float((1 + (drawn >= observed - 1e-9).sum()) / (1 + draws))


def _pairs(given: Comparisons, decided: np.ndarray) -> tuple[tuple[str, str, int, int, float], ...]:
    """Exact test of each pair of methods that was compared."""
    rows = []
    for one, two in combinations(range(len(given.methods)), 2):
        direct, turned = (decided & (given.first == a) & (given.second == b) for a, b in ((one, two), (two, one)))
        wins = int(given.won[direct].sum() + (1 - given.won[turned]).sum())
        count = int(direct.sum() + turned.sum())
        if count:
            rows.append((given.methods[one], given.methods[two], wins, count, binomial_p(wins, count)))
    corrected = holm(np.array([row[-1] for row in rows])) if rows else ()
    return tuple((*row[:4], float(p)) for row, p in zip(rows, corrected, strict=True))


def _augmented(
    given: Comparisons,
) -> tuple[Float64[np.ndarray, "row column"], Float64[np.ndarray, "row"], np.ndarray]:
    """Rows of the regression: design with the side last, outcome, and cluster.

    An outcome of 1/2 adds half a comparison won each way: of equal answers, and of the row added for each pair.
    """
    count = len(given.methods)
    side = np.where(given.left, 0.5, -0.5)[:, None]
    design = np.hstack([np.eye(count)[given.first] - np.eye(count)[given.second], side])
    pairs = sorted({(min(a, b), max(a, b)) for a, b in zip(given.first.tolist(), given.second.tolist(), strict=True)})
    extra = np.array([[*(np.eye(count)[a] - np.eye(count)[b]), 0.0] for a, b in pairs])
    codes = np.unique(given.subjects, return_inverse=True)[1]
    groups = np.concatenate([codes, codes.max() + 1 + np.arange(len(extra))])
    return np.vstack([design, extra]), np.concatenate([given.won, np.full(len(extra), 0.5)]), groups
