"""The two-sample test keeps its level where cases of a subject are alike, and finds what is planted; ranks agree."""

import numpy as np
import pytest

from glioforge.core.errors import CohortError, LeakageError
from glioforge.metrics.cohort.agreement import rank_agreement, require_apart
from glioforge.metrics.cohort.classifier import area_under_curve, predictor, two_sample_test


def drawn(seed, shift=0.0, subjects=12, cases=4, features=6):
    """Features of correlated cases of subjects, half of them moved."""
    rng = np.random.default_rng(seed)
    of_subject = rng.standard_normal((subjects, features)).repeat(cases, axis=0)
    made = np.arange(subjects).repeat(cases) < subjects // 2
    rows = of_subject + 0.1 * rng.standard_normal(of_subject.shape) + shift * made[:, None]
    return rows, [f"s{n}" for n in np.arange(subjects).repeat(cases)], made.tolist()


def test_the_test_keeps_its_level_where_cases_repeat():
    """200 samples of the null hypothesis with four alike cases a subject: about 5 % are rejected."""
    rejected = sum(two_sample_test(*drawn(seed), permutations=39, seed=seed).p <= 0.05 for seed in range(200))

    assert rejected <= 20


def test_a_planted_difference_is_found():
    """Sides two standard deviations apart are told apart."""
    found = two_sample_test(*drawn(1, shift=2.0), permutations=199)

    assert found.auc > 0.9
    assert found.p <= 0.02
    assert (found.made, found.real) == (6, 6)
    assert found.usual < found.auc


def test_subjects_on_both_sides_are_refused():
    """Their cases would be trained on and asked about."""
    rows, subjects, made = drawn(1)
    subjects[0] = subjects[-1]
    with pytest.raises(CohortError, match="subjects on both sides: s11"):
        two_sample_test(rows, subjects, made)
    with pytest.raises(CohortError, match="3 and 3 subjects"):
        two_sample_test(*drawn(1, subjects=6))


def test_scores_are_those_of_ridge_regression():
    """The matrix of predictions gives what scikit-learn's ridge regression predicts fold by fold."""
    from sklearn.linear_model import Ridge

    rows, _, made = drawn(3)
    sides = np.array(made, dtype=float)
    folds = np.arange(len(rows)) % 3
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    expected = np.zeros(len(rows))
    for fold in range(3):
        model = Ridge(alpha=rows.shape[1]).fit(scaled[folds != fold], sides[folds != fold])
        expected[folds == fold] = model.predict(scaled[folds == fold])

    assert predictor(rows, folds) @ sides == pytest.approx(expected)


def test_ties_count_half():
    """A classifier that says the same of everybody has an area of a half."""
    assert area_under_curve(np.zeros((4, 1)), np.array([[0.0], [1.0], [0.0], [1.0]])).tolist() == [0.5]


def test_ranks_of_eight_arms_are_evidence_and_of_seven_are_none():
    """A distance that ranks eight arms as the gain does can be believed; fewer arms say nothing."""
    distances = {f"arm {n}": float(n) for n in range(8)}
    gains = {name: -value + 0.1 for name, value in distances.items()}
    found = rank_agreement(distances, gains)
    fewer = rank_agreement({name: distances[name] for name in list(distances)[:7]}, gains)

    assert found.correlation == -1
    assert found.is_evidence
    assert found.p == pytest.approx(2 / 40320)
    assert not fewer.is_evidence
    assert "7 arms are no evidence" in fewer.text
    assert "agrees with the gain" in found.text
    with pytest.raises(CohortError, match="three arms that differ"):
        rank_agreement({"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "b": 2.0, "c": 3.0})


def test_many_arms_are_permuted_at_random():
    """Twelve arms without relation lie within what permutations give."""
    rng = np.random.default_rng(1)
    names = [str(n) for n in range(12)]
    found = rank_agreement(*(dict(zip(names, rng.standard_normal(12), strict=True)) for _ in range(2)))

    assert found.low < found.correlation < found.high
    assert found.p > 0.05


def test_subjects_that_something_was_tuned_on_are_refused():
    """Distances and gains are measured on subjects on whom nothing was chosen."""
    require_apart({"a", "b"}, {"the generator": {"c"}})
    with pytest.raises(LeakageError, match="on whom the generator was tuned"):
        require_apart({"a", "b"}, {"the generator": {"b"}})
