"""One line of results: a reader, or all, on the images of a method and contrast.

Which test is valid depends on the answers.  One reader, one item per subject
and about as many items of both kinds: exact tests of counts.  Several items of
a subject: subjects are exchanged and resampled.  Several readers: the variance
over cases, and from three readers on over readers too, by U-statistics.

Tests of answers on several items of a subject take the subject as the unit: slices
of one volume are called alike, so that they are no independent trials.
Under the hypothesis that calls do not depend on truth, the truth of whole
subjects can be exchanged: between subjects that have items of one kind, and
within subjects that have both.  The statistic is the difference of the two
shares called synthetic, real and synthetic.

Source: Good, Permutation, Parametric and Bootstrap Tests of Hypotheses (2005);
Phipson & Smyth (2010) for Monte Carlo p values.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, final

import numpy as np
from jaxtyping import Bool, Float64

from glioforge.core import stream
from glioforge.reader import mrmc, mrmc_binary
from glioforge.reader.analysis_counts import Counts, Detection, detect
from glioforge.reader.analysis_readings import Grid, Readings, grid
from glioforge.reader.mrmc import FEWEST_READERS, Estimates
from glioforge.statistics import Interval, binomial_p

Basis = Literal["exact", "subjects", "these readers", "readers"]
BASES: Final[dict[Basis, str]] = {
    "exact": "exact tests of counts, one item per subject",
    "subjects": "subjects exchanged and resampled",
    "these readers": "variance over cases, for these readers only",
    "readers": "variance over readers and cases",
}
"""What a line's interval and tests rest on."""
ALL: Final = "all"
UNBALANCED: Final = 0.1
"""Difference of the two kinds, as a share of all items, up to which exact tests of the accuracy are used."""


@final
@dataclass(frozen=True)
class Row:
    """A line of results.

    Args:
        who: Name of the reader, or `all`.
        method: Method, or `all`.
        contrast: Contrast, or `all`.
        detection: Counts over readers, accuracy, d', and tests; d' of several readers is their mean.
        basis: What interval and tests rest on.
        readers: Number of readers.
        subjects: Number of subjects.
        auc: Area under the ROC curve over confidence; NaN without confidence.
        p_auc: Two-sided p of the AUC against one half.
    """

    who: str
    method: str
    contrast: str
    detection: Detection
    basis: Basis
    readers: int
    subjects: int
    auc: Interval
    p_auc: float


def row(readings: Readings, margin: float, *, seed: int, who: str = ALL, method: str = ALL, contrast: str = ALL) -> Row:
    """Describe and test the answers of a line.

    Args:
        readings: Its answers.
        margin: Equivalence margin on the accuracy.
        seed: Of exchanges of subjects.
        who: Reader, for the heading.
        method: Method, for the heading.
        contrast: Contrast, for the heading.
    """
    readings = _with_both_kinds(readings)
    found = detect(readings.counts, margin)
    basis: Basis = "exact"
    auc, p_auc = Interval(np.nan, np.nan, np.nan, 0.95, 0, "no confidence"), float("nan")
    if found.counts.real and found.counts.synthetic:
        laid = grid(readings)
        basis = _basis(readings, found.counts)
        found = found if basis == "exact" else _estimated(readings, laid, found, seed)
        if np.isfinite(readings.numbers("confidence")).any():
            estimates = mrmc.auc(laid.rating, laid.positive, laid.subjects)
            auc = _within_unit(estimates.interval())
            p_auc = float(estimates.p()) if auc.known else float("nan")
    subjects = len(set(readings.column("subject").tolist()))
    return Row(who, method, contrast, found, basis, len(readings.readers), subjects, auc, p_auc)


def _with_both_kinds(readings: Readings) -> Readings:
    """Leave out readers who saw one kind of item only, where others saw both."""
    paired = readings.kind == "choice"
    complete = {
        reader
        for reader in readings.readers
        if paired or len(set(readings.where(reader=reader).positive.tolist())) == 2
    }
    if not complete:
        return readings
    return Readings(tuple(answer for answer in readings.answers if answer.reader in complete))


def _basis(readings: Readings, counts: Counts) -> Basis:
    """What the tests of a line rest on."""
    if len(readings.readers) >= FEWEST_READERS:
        return "readers"
    if len(readings.readers) > 1:
        return "these readers"
    uneven = readings.kind != "choice" and abs(counts.real - counts.synthetic) > UNBALANCED * counts.trials
    return "subjects" if readings.several_per_subject or uneven else "exact"


def _estimated(readings: Readings, laid: Grid, found: Detection, seed: int) -> Detection:
    """Replace accuracy and tests by those over cases, or over readers and cases."""
    kinds = None if readings.kind == "choice" else laid.positive
    estimates = mrmc_binary.accuracy(laid.correct, kinds, laid.subjects)
    if not float(estimates.used) > 0:
        return _without_spread(found, estimates, len(readings.readers))
    subjects = readings.column("subject")
    exchanged = exchange_p(readings.positive, readings.called_positive, subjects, seed=seed)
    alone = len(readings.readers) == 1
    return replace(
        found,
        accuracy=_within_unit(estimates.interval()),
        p_chance=exchanged if alone else float(estimates.p()),
        p_discrimination=exchanged,
        p_equivalence=float(estimates.p_equivalence(found.margin)),
        dprime=found.dprime if alone else _mean_dprime(readings),
        criterion=found.criterion if alone else _mean_criterion(readings),
    )


def _without_spread(found: Detection, estimates: Estimates, readers: int) -> Detection:
    """Where all answers are alike, such as all right, let the cases count once, however many readers there are."""
    cells = (int(np.ceil(cell / readers)) for cell in found.counts.cells)
    once = detect(Counts(*cells), found.margin)
    p = binomial_p(once.counts.correct, once.counts.trials)
    accuracy = replace(once.accuracy, estimate=float(estimates.mean))
    return replace(once, counts=found.counts, accuracy=accuracy, p_chance=p)


def _mean_dprime(readings: Readings) -> Interval:
    """Mean of the readers' d'; the readers' own lines have intervals."""
    values = [readings.where(reader=reader).counts.dprime for reader in readings.readers]
    return Interval(float(np.mean(values)), np.nan, np.nan, 0.95, len(values), "mean of readers")


def _mean_criterion(readings: Readings) -> float:
    """Mean of the readers' criteria."""
    return float(np.mean([readings.where(reader=reader).counts.criterion for reader in readings.readers]))


def _within_unit(interval: Interval) -> Interval:
    """Cut an interval of a share to what a share can be."""
    low, high = np.clip([interval.low, interval.high], 0.0, 1.0)
    return replace(interval, low=float(low), high=float(high))


DRAWS = 3000
"""Random exchanges of truth."""


def exchange_p(
    truth: Bool[np.ndarray, "item"],
    call: Bool[np.ndarray, "item"],
    subjects: np.ndarray,
    *,
    seed: int,
    draws: int = DRAWS,
) -> float:
    """Two-sided p that calls do not depend on truth, with subjects as units.

    Args:
        truth: One class, such as synthetic items.
        call: What was answered, or ticked.
        subjects: Subject of each item.
        seed: Of the random exchanges.
        draws: Number of random exchanges.

    Returns:
        1 where one class is missing.

    Example:
        >>> half = np.repeat([False, True], 12)
        >>> exchange_p(half, half, np.repeat(np.arange(12), 2), seed=0) < 0.01
        True
    """
    counts, hits = _by_subject(truth, call, subjects)
    return exchange_p_of_counts(counts, hits, seed=seed, draws=draws)


def exchange_p_of_counts(
    counts: Float64[np.ndarray, "subject 2"], hits: Float64[np.ndarray, "subject 2"], *, seed: int, draws: int = DRAWS
) -> float:
    """The same p from items and calls of each subject, of the first class and the second.

    Args:
        counts: Items of each subject by class.
        hits: Items among them with the call.
        seed: Of the random exchanges.
        draws: Number of random exchanges.
    """
    if (counts.sum(axis=0) == 0).any():
        return 1.0
    # `scipy.stats.permutation_test` cannot exchange within some subjects and between the others at once.
    rng = stream(seed, "exchange")
    both = (counts > 0).all(axis=1)
    flip = np.zeros((draws, len(counts)), dtype=bool)
    flip[:, both] = rng.integers(0, 2, (draws, int(both.sum())), dtype=np.int8).astype(bool)
    single = np.flatnonzero(~both)
    if len(single):
        second = counts[single, 1] > 0
        order = rng.permuted(np.broadcast_to(second, (draws, len(single))), axis=1)
        flip[:, single] = order != second
    observed = _difference(counts, hits, np.zeros((1, len(counts)), dtype=bool))[0]
    drawn = _difference(counts, hits, flip)
    return float((1 + (np.abs(drawn) >= abs(observed) - 1e-9).sum()) / (1 + draws))


def _by_subject(
    truth: Bool[np.ndarray, "item"], call: Bool[np.ndarray, "item"], subjects: np.ndarray
) -> tuple[Float64[np.ndarray, "subject 2"], Float64[np.ndarray, "subject 2"]]:
    """Items and calls of each subject, by class."""
    names, codes = np.unique(subjects, return_inverse=True)
    counts, hits = (np.zeros((len(names), 2)) for _ in range(2))
    np.add.at(counts, (codes, truth.astype(int)), 1)
    np.add.at(hits, (codes, truth.astype(int)), call.astype(float))
    return counts, hits


def _difference(
    counts: Float64[np.ndarray, "subject 2"],
    hits: Float64[np.ndarray, "subject 2"],
    flip: Bool[np.ndarray, "draw subject"],
) -> Float64[np.ndarray, "draw"]:
    """Share of calls in the second class minus that in the first, with the classes of some subjects exchanged."""
    weight = flip.astype(np.float64)
    sums = [hits[:, k].sum() + weight @ (hits[:, 1 - k] - hits[:, k]) for k in (0, 1)]
    sizes = [counts[:, k].sum() + weight @ (counts[:, 1 - k] - counts[:, k]) for k in (0, 1)]
    shares = [np.where(n > 0, s / np.maximum(n, 1), 0.0) for s, n in zip(sums, sizes, strict=True)]
    return np.asarray(shares[1] - shares[0], dtype=np.float64)
