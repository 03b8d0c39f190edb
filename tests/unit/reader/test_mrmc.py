"""Variances over readers and cases, against formulas for one reader and simulations for several."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import cochrans_q, mcnemar

from glioforge.core.errors import CohortError
from glioforge.reader.mrmc import auc, auc_difference
from glioforge.reader.mrmc_binary import accuracy, accuracy_difference, clustered_q, cochran_q

TRUTH = np.repeat([False, True], 30)


@pytest.fixture(scope="module")
def evidence():
    """500 null studies of four readers under two methods, `(study, reader, item)` each."""
    rng = np.random.default_rng(4)

    def draw(*shape, share):
        return rng.normal(size=shape) * np.sqrt(share)

    readers, items = 4, len(TRUTH)
    common = draw(500, 1, items, share=0.2) + draw(500, readers, items, share=0.2)
    return [
        common + 0.8 * TRUTH + draw(500, readers, 1, share=0.05) * TRUTH + draw(500, readers, items, share=0.6)
        for _ in range(2)
    ]


def test_one_reader_has_the_variance_of_delong():
    """With one reader the U-statistics agree with structural components, which leave out a term of order 1 / n^2."""
    scores = np.random.default_rng(0).normal(size=(1, 60)) + 0.7 * TRUTH
    wins = (scores[0, TRUTH] > scores[0, ~TRUTH][:, None]).astype(float)
    components = wins.mean(axis=0).var(ddof=1) / 30 + wins.mean(axis=1).var(ddof=1) / 30
    found = auc(scores, TRUTH)

    assert float(found.mean) == pytest.approx(wins.mean())
    assert float(found.variance) == pytest.approx(components, rel=0.05)


def test_variances_are_unbiased(evidence):
    """The mean estimate is the variance between simulated studies."""
    one, two = evidence
    right = [((scores > 0.4) == TRUTH).astype(float) for scores in evidence]

    for found in (auc(one, TRUTH), auc_difference(one, two, TRUTH), accuracy(right[0], TRUTH)):
        assert found.variance.mean() == pytest.approx(found.mean.var(), rel=0.2)


def test_differences_of_methods_keep_their_level(evidence):
    """Two methods that are alike differ in about 5 % of studies."""
    right = [((scores > 0.4) == TRUTH).astype(float) for scores in evidence]

    assert 0.02 < (auc_difference(*evidence, TRUTH).p() < 0.05).mean() < 0.08
    assert 0.02 < (accuracy_difference(*right, TRUTH).p() < 0.05).mean() < 0.08


def test_copies_of_items_add_no_evidence():
    """Every item three times, as of one subject: the variance stays, where items taken as subjects would shrink it."""
    scores = np.random.default_rng(2).normal(size=(3, 60)) + TRUTH
    subjects = np.tile(np.arange(60), 3)
    copied, truth = np.tile(scores, 3), np.tile(TRUTH, 3)
    right = (copied > 0.5) == truth

    assert float(auc(copied, truth, subjects).variance) == pytest.approx(float(auc(scores, TRUTH).variance))
    assert float(auc(copied[:1], truth).variance) < 0.5 * float(auc(scores[:1], TRUTH).variance)
    assert float(accuracy(right.astype(float), truth, subjects).variance) == pytest.approx(
        float(accuracy(right[:, :60].astype(float), TRUTH).variance)
    )


def test_unread_cases_are_left_out():
    """Cases that a reader did not read change neither his value nor break the variance."""
    scores = np.random.default_rng(3).normal(size=(3, 60)) + TRUTH
    partly = scores.copy()
    partly[0, :10] = partly[0, 30:40] = np.nan
    alone = auc(np.delete(scores[:1], np.r_[:10, 30:40], axis=1), np.delete(TRUTH, np.r_[:10, 30:40]))

    assert auc(partly, TRUTH).readers[0] == pytest.approx(alone.readers[0])
    assert 0 < float(auc(partly, TRUTH).used) < 0.05


def test_two_readers_are_no_sample():
    """Their spread does not enter: the variance is over cases."""
    scores = np.stack([np.arange(60.0) * np.where(TRUTH, 1, 0.2), np.random.default_rng(5).normal(size=60)])

    assert float(auc(scores, TRUTH).spread) == 0
    assert float(auc(scores, TRUTH).freedom) == 58


def test_equivalence_of_readers_needs_closeness():
    """Readers at chance within the margin pass, and readers who see do not."""
    rng = np.random.default_rng(6)
    truth = np.repeat([False, True], 400)
    guess = rng.normal(size=(6, 800))

    assert float(auc(guess, truth).p_equivalence(0.1)) < 0.01
    assert float(auc(guess + truth, truth).p_equivalence(0.1)) > 0.9
    with pytest.raises(CohortError, match="equivalence margin 0"):
        auc(guess, truth).p_equivalence(0.0)


def test_score_tests_are_those_of_statsmodels():
    """Cochran's Q of three methods, McNemar's test of two."""
    answers = np.random.default_rng(7).integers(0, 2, (2, 40, 3)).astype(float)
    stacked = answers.reshape(-1, 3)
    table = [[int(((stacked[:, 0] == a) & (stacked[:, 1] == b)).sum()) for b in (0, 1)] for a in (0, 1)]

    assert float(cochran_q(answers)) == pytest.approx(cochrans_q(stacked).pvalue)
    assert float(cochran_q(answers[..., :2])) == pytest.approx(mcnemar(table, exact=False, correction=False).pvalue)


def test_clustering_sees_that_readers_share_cases():
    """Readers who all answer alike are one reader."""
    answers = np.repeat(np.random.default_rng(8).integers(0, 2, (1, 40, 2)).astype(float), 5, axis=0)

    assert float(clustered_q(answers)) == pytest.approx(float(clustered_q(answers[:1])))
    assert float(cochran_q(answers)) < float(cochran_q(answers[:1])) or float(cochran_q(answers)) == 1.0


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: auc(np.zeros((1, 4)), np.ones(4, dtype=bool)), "4 synthetic of 4 items"),
        (lambda: accuracy(np.zeros((1, 4)), np.zeros(4, dtype=bool)), "0 synthetic of 4 items"),
        (lambda: accuracy(np.full((1, 2), np.nan), np.array([False, True])), "without an answer of one kind"),
        (lambda: auc(np.full((1, 2), np.nan), np.array([False, True])), "without a pair"),
        (lambda: clustered_q(np.zeros((1, 2, 2))), "2 cases of 2 methods"),
        (lambda: cochran_q(np.full((1, 5, 2), np.nan)), "answers that are missing"),
    ],
)
def test_what_cannot_be_estimated_is_refused(call, found):
    """With what was found."""
    with pytest.raises(CohortError, match=found):
        call()
