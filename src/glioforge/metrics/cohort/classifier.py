"""Two-sample test by a classifier, whose unit is the subject.

A linear classifier (ridge regression on the side, after Lopez-Paz & Oquab 2017,
arXiv:1610.06545) is trained and asked in folds that keep a subject's cases
together; a subject's score is the mean over its cases; the statistic is the area
under the ROC curve over subjects.  Its distribution under the null hypothesis comes
from permuting the side of whole subjects with folds unchanged, so that the test is
exact (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585, for the p-value).  Slices or
cases shuffled as if they were independent give false alarms in most samples.

The prediction is linear in the sides, so that all permutations are one product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float64
from scipy.stats import rankdata

from glioforge.core import CohortError, listed, stream

FOLDS: Final = 5
"""Folds, or as many as there are subjects if they are fewer."""
PERMUTATIONS: Final = 999
"""Permutations of a test, unless given."""
RIDGE: Final = 1.0
"""Penalty as a share of the features' mean variance: features count as much as noise of their own size."""
FEWEST_CLASSIFIED: Final = 4
"""Subjects of the smaller side."""


@final
@dataclass(frozen=True)
class TwoSample:
    """Outcome of a test.

    Args:
        auc: Area under the ROC curve over subjects; 0.5 is chance.
        p: One-sided p-value of the permutations.
        usual: 95th percentile of the permutations' areas.
        made: Subjects of the synthetic side.
        real: Subjects of the real side.
        permutations: Their number.
    """

    auc: float
    p: float
    usual: float
    made: int
    real: int
    permutations: int


def two_sample_test(
    features: Float64[np.ndarray, "case feature"],
    subjects: Sequence[str],
    is_made: Sequence[bool],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 1,
) -> TwoSample:
    """Test whether synthetic and real cases can be told apart by their features.

    Args:
        features: A row a case.
        subjects: Subject of each case.
        is_made: Whether each case is synthetic; all cases of a subject are of one side.
        permutations: Number of permutations.
        seed: Of folds and permutations.

    Raises:
        CohortError: A subject is on both sides, or a side has fewer than `FEWEST` subjects.
    """
    names, unit = np.unique(np.asarray(subjects), return_inverse=True)
    sizes = np.bincount(unit)
    made_shares = np.bincount(unit, np.asarray(is_made, dtype=np.float64)) / sizes
    both = [str(name) for name, share in zip(names, made_shares, strict=True) if 0 < share < 1]
    sides = (int((made_shares == 1).sum()), int((made_shares == 0).sum()))
    if both or min(sides) < FEWEST_CLASSIFIED:
        found = f"subjects on both sides: {listed(both)}" if both else f"{sides[0]} and {sides[1]} subjects"
        raise CohortError(
            found, f"at least {FEWEST_CLASSIFIED} subjects a side, none on both", "compare with other subjects"
        )
    rng = stream(seed, "two samples")
    folds = rng.permutation(len(names)) % min(FOLDS, len(names))
    orders = np.stack([made_shares, *(rng.permutation(made_shares) for _ in range(permutations))], axis=1)
    scores = predictor(features, folds[unit]) @ orders[unit]
    of_units = np.zeros((len(names), scores.shape[1]))
    np.add.at(of_units, unit, scores / sizes[unit][:, None])
    areas = area_under_curve(of_units, orders)
    drawn = areas[1:]
    p = (1 + int((drawn >= areas[0] - 1e-12).sum())) / (permutations + 1)
    return TwoSample(float(areas[0]), p, float(np.quantile(drawn, 0.95)), *sides, permutations)


def predictor(features: Float64[np.ndarray, "n d"], folds: np.ndarray) -> Float64[np.ndarray, "n n"]:
    """Matrix that turns sides of all cases into scores, each case's from the cases of other folds.

    Args:
        features: A row a case; brought to mean 0 and standard deviation 1 without asking for sides.
        folds: Fold of each case.
    """
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    kernel = scaled @ scaled.T / max(scaled.shape[1], 1)
    found = np.zeros_like(kernel)
    for fold in np.unique(folds):
        test, train = folds == fold, folds != fold
        count = int(train.sum())
        centre = np.eye(count) - 1 / count
        inner = centre @ kernel[np.ix_(train, train)] @ centre
        across = (kernel[np.ix_(test, train)] - kernel[np.ix_(train, train)].mean(axis=0)) @ centre
        weights = across @ np.linalg.solve(inner + RIDGE * np.eye(count), centre)
        found[np.ix_(test, train)] = weights + 1 / count
    return found


def area_under_curve(scores: Float64[np.ndarray, "n p"], sides: Float64[np.ndarray, "n p"]) -> Float64[np.ndarray, "p"]:
    """Area under the ROC curve of each column; ties count half.

    Example:
        >>> area_under_curve(np.array([[0.1], [0.2], [0.3]]), np.array([[0.0], [0.0], [1.0]])).tolist()
        [1.0]
    """
    ranks = rankdata(scores, axis=0)
    ones = sides.sum(axis=0)
    area: Float64[np.ndarray, "p"] = ((ranks * sides).sum(axis=0) - ones * (ones + 1) / 2) / (
        ones * (len(sides) - ones)
    )
    return area
