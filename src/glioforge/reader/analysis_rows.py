"""One line of results: a reader, or all, on the images of a method and contrast.

Which test is valid depends on the answers.  One reader, one item per subject
and about as many items of both kinds: exact tests of counts.  Several items of
a subject: subjects are exchanged and resampled.  Several readers: the variance
over cases, and from three readers on over readers too, by U-statistics.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, final

import numpy as np

from glioforge.reader import mrmc, mrmc_binary
from glioforge.reader.analysis_counts import Counts, Detection, detect
from glioforge.reader.analysis_readings import Grid, Readings, grid
from glioforge.reader.analysis_subjects import exchange_p
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
