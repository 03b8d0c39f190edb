"""Variance of an accuracy over readers and cases, and tests of methods on binary answers.

The accuracy of a reading study is the mean of two shares, of real images called
real and of synthetic images called synthetic, so that it does not depend on how
many of each were shown.  Its variance over readers and cases is a sum over
pairs of answers, sorted by whether they share reader, subject and truth; a
subject may have several items, of both kinds.

Methods that made an image of the same label map are compared within reader and
case: conditional logistic regression with a stratum for each reader and case,
whose score test is Cochran's Q, and McNemar's test for two methods.  That test
takes readers and cases as given and answers to one case as independent; the
form clustered by case allows that a case suits one method.

Sources: Gallas, Pennello & Myers, Journal of the Optical Society of America A 24
(2007) for binary answers; Cochran, Biometrika 37 (1950); Lee, Jang & Lee,
Evaluating Diagnostic Accuracy of Binary Medical Tests in Multi-reader Multi-case
Study (2025); Durkalski et al., Statistics in Medicine 22 (2003) for clusters.
"""

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import chdtrc, fdtrc

from glioforge.core import CohortError
from glioforge.reader.mrmc import Estimates, Numbers, PairSums, summed_categories

Correct = Float[np.ndarray, "*batch reader item"]
Sums = Float64[np.ndarray, "*batch reader subject"]
Strata = tuple[tuple[Sums, Sums], ...]
Answers = Float[np.ndarray, "*batch reader case method"]


def accuracy(correct: Correct, synthetic: np.ndarray | None, subjects: np.ndarray | None = None) -> Estimates:
    """Mean accuracy over readers with its variance, against one half.

    Args:
        correct: `(..., reader, item)`; 1 right, 0 wrong, NaN not read; leading axes are separate studies.
        synthetic: `(item,)`; whether each item is synthetic; none for pairs, which are all of one kind.
        subjects: `(item,)`; subject of each item; every item is its own unless given.

    Raises:
        CohortError: One kind of item is missing, or a reader read none of a kind.
    """
    strata = _strata(correct, synthetic, subjects)
    return Estimates(_mean(strata), _covariance(strata, strata), 0.5, _cases(strata))


def accuracy_difference(
    correct: Correct, other: Correct, synthetic: np.ndarray | None, subjects: np.ndarray | None = None
) -> Estimates:
    """Mean difference of two accuracies of the same readers and cases, against 0; arguments as in `accuracy`.

    Raises:
        CohortError: One kind of item is missing, or a reader read none of a kind.
    """
    one, two = _strata(correct, synthetic, subjects), _strata(other, synthetic, subjects)
    variance = _covariance(one, one) + _covariance(two, two) - 2 * _covariance(one, two)
    return Estimates(_mean(one) - _mean(two), variance, 0.0, _cases(one))


def cochran_q(answers: Answers) -> Numbers:
    """Return p of Cochran's Q: methods differ in the share of answers that are 1, within reader and case.

    Args:
        answers: `(..., reader, case, method)` of 0 and 1; every reader judged every method of every case.

    Returns:
        Asymptotic p, McNemar's for two methods; 1 where all methods of every case were answered alike.

    Example:
        >>> table = np.zeros((1, 30, 2))
        >>> table[0, :18, 0], table[0, 15:18, 1] = 1, 1
        >>> round(float(cochran_q(table)), 5)
        0.00011
    """
    scores, within = _scores(answers)
    methods = answers.shape[-1]
    total = scores.sum(axis=(-3, -2))
    spread = within.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (methods - 1) * (total**2).sum(axis=-1) / spread
    return np.where(spread > 0, chdtrc(methods - 1, np.where(spread > 0, statistic, 0.0)), 1.0)


def clustered_q(answers: Answers) -> Numbers:
    """Return p of the same hypothesis with the variance of the scores taken between cases.

    Valid where a case suits one method better than another for all readers; needs more cases than methods.

    Args:
        answers: `(..., reader, case, method)` of 0 and 1, complete.

    Returns:
        p of Hotelling's test on the scores of cases; 1 where they do not vary.

    Raises:
        CohortError: There are no more cases than methods.
    """
    cases, methods = answers.shape[-2:]
    if cases <= methods:
        raise CohortError(f"{cases} cases of {methods} methods", "more cases than methods")
    per_case = _scores(answers)[0].sum(axis=-3)[..., :-1]
    mean = per_case.mean(axis=-2)
    centred = per_case - mean[..., None, :]
    matrix = np.einsum("...ca,...cb->...ab", centred, centred) / (cases - 1)
    solved = np.einsum("...a,...ab,...b->...", mean, np.linalg.pinv(matrix, hermitian=True), mean)
    freedom = methods - 1
    scaled = cases * solved * (cases - freedom) / ((cases - 1) * freedom)
    varies = np.trace(matrix, axis1=-2, axis2=-1) > 0
    return np.where(varies, fdtrc(freedom, cases - freedom, np.where(varies, scaled, 0.0)), 1.0)


def _strata(correct: Correct, synthetic: np.ndarray | None, subjects: np.ndarray | None) -> Strata:
    """Right answers and answers by reader and subject, for each kind of item."""
    items = correct.shape[-1]
    truth = np.zeros(items, dtype=bool) if synthetic is None else np.asarray(synthetic, dtype=bool)
    if synthetic is not None and (truth.all() or not truth.any()):
        raise CohortError(f"{int(truth.sum())} synthetic of {items} items", "real and synthetic items")
    codes = np.arange(items) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    member = np.eye(codes.max() + 1)[codes]
    read = np.isfinite(correct)
    values = np.where(read, correct, 0.0)
    parts = []
    for kind in (~truth,) if synthetic is None else (~truth, truth):
        counts = (read * kind) @ member
        if (counts.sum(axis=-1) == 0).any():
            raise CohortError("a reader without an answer of one kind", "answers on real and on synthetic items")
        parts.append(((values * kind) @ member, counts))
    return tuple(parts)


def _covariance(one: Strata, two: Strata) -> Numbers:
    """Covariance of two mean accuracies, over readers and cases; over cases alone for few readers."""
    readers = one[0][0].shape[-2]
    total = np.zeros(one[0][0].shape[:-2])
    for values, counts in one:
        for others, theirs in two:
            scale, their_scale = (1 / (len(one) * c.sum(axis=-1, keepdims=True) * readers) for c in (counts, theirs))
            moments = _pairs(values * scale, others * their_scale)
            total = total + summed_categories(moments, _pairs(counts * scale, theirs * their_scale))
    return total


def _pairs(one: Sums, two: Sums) -> tuple[PairSums, PairSums]:
    """Sums of products over pairs of answers, by reader and reader: of the same subject, of different ones."""
    same = np.einsum("...ri,...si->...rs", one, two)
    every = np.einsum("...r,...s->...rs", one.sum(axis=-1), two.sum(axis=-1))
    return same, every - same


def _cases(strata: Strata) -> int:
    """Subjects of either kind."""
    return sum(int((counts.reshape(-1, counts.shape[-1]).max(axis=0) > 0).sum()) for _, counts in strata)


def _mean(strata: Strata) -> Float64[np.ndarray, "*batch reader"]:
    """Accuracy of each reader: mean of the shares of right answers of both kinds."""
    shares = [values.sum(axis=-1) / counts.sum(axis=-1) for values, counts in strata]
    return np.asarray(sum(shares) / len(shares), dtype=np.float64)


def _scores(answers: Answers) -> tuple[Float64[np.ndarray, "..."], Float64[np.ndarray, "..."]]:
    """Answers minus their mean over the methods, and the sum of their squares; complete blocks only."""
    if np.isnan(answers).any():
        raise CohortError("answers that are missing", "an answer of every reader to every method of every case")
    centred = answers - answers.mean(axis=-1, keepdims=True)
    return centred, (centred**2).sum(axis=-1)
