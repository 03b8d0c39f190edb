"""Intervals of numbers about a whole cohort, by resampling its subjects.

A distance between two sets of images, or an accuracy over all cases, belongs to
no subject, so that it has no mean over subjects to bootstrap.  Whoever computes
such a number computes it again on resamples: the same number of subjects, drawn
with replacement.  The results table holds the number itself in a row with empty
`sample`, and each resample in a row named by `sample_name`.  Resample `n` draws
the same subjects in every arm, so that differences of arms can be paired.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13
(percentile interval).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from glioforge.core import CohortError, stream
from glioforge.statistics.intervals import Interval, too_few

RESAMPLES: Final = 200
"""Resamples of a cohort, unless given: enough for a 95 % percentile interval to about a tenth of its width."""
ENOUGH_RESAMPLES: Final = 40
"""Fewest resamples of which the ends of a 95 % interval are taken."""
_PREFIX: Final = "bootstrap-"


def sample_name(number: int) -> str:
    """Return the name of a resample in the column `sample`.

    Example:
        >>> sample_name(17)
        'bootstrap-017'
    """
    return f"{_PREFIX}{number:03d}"


def is_resample(sample: str) -> bool:
    """Whether a value of the column `sample` names a resample."""
    return sample.startswith(_PREFIX)


def resampled(
    subjects: Sequence[str], measure: Callable[[Sequence[str]], float], *, seed: int, count: int = RESAMPLES
) -> dict[str, float]:
    """Measure a cohort, and resamples of its subjects.

    Args:
        subjects: Every subject of the cohort once.
        measure: Computes the number from subjects, of whom some may be named several times.
        seed: Of the resamples; the same for all arms that are compared.
        count: Number of resamples.

    Returns:
        The number itself under `""`, and that of each resample under its name; with fewer than two subjects, no
        resamples.

    Raises:
        CohortError: There are no subjects, or one is named twice.
    """
    names = sorted(subjects)
    if not names or len(set(names)) < len(names):
        raise CohortError(f"subjects {names}", "at least one subject, each named once")
    found = {"": float(measure(names))}
    for number in range(count if len(names) > 1 else 0):
        drawn = stream(seed, "resample", number).integers(0, len(names), len(names))
        found[sample_name(number)] = float(measure([names[place] for place in drawn]))
    return found


def resampled_interval(values: Mapping[str, float], subjects: int, *, level: float = 0.95) -> Interval:
    """Return a number about a cohort with its percentile interval.

    Args:
        values: The number itself under `""`, and resamples under their names; values that are not finite are left out.
        subjects: Subjects behind it, for the note; 0 where that is not known.
        level: Coverage, in (0, 1).

    Returns:
        No interval, and a note that says why, for too few subjects or fewer than `ENOUGH_RESAMPLES` resamples.
    """
    estimate = values.get("", float("nan"))
    drawn = [value for name, value in values.items() if is_resample(name) and np.isfinite(value)]
    lacking = f"number of the whole cohort with {len(drawn)} resamples: no interval"
    note = (too_few(subjects) if subjects else "") or (lacking if len(drawn) < ENOUGH_RESAMPLES else "")
    if note:
        return Interval(estimate, np.nan, np.nan, level, subjects, note)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), level, subjects)
