"""How many items and readers a study needs, and how long it takes.

For one reader, the chance that two exact one-sided tests place the accuracy of
a guessing reader within the margin, and the chance that a reader who sees a
difference is found to.  For several readers the same by the t test over readers
and cases, with a spread between readers and a correlation of their answers to
the same image that are assumed, and printed with the result.

Sources: Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987);
Hillis, Obuchowski & Berbaum, Academic Radiology 18 (2011) for the variance of a
mean over readers and cases.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import stats
from scipy.special import nctdtr, stdtrit

from glioforge.core import CohortError, counted
from glioforge.reader.folder import SECONDS
from glioforge.reader.spec import ReaderSpec

READER_SPREAD = 0.04
"""Standard deviation of the accuracy between readers, unless given."""
CASE_CORRELATION = 0.2
"""Correlation of the answers of two readers to the same image, unless given."""
MOST_ITEMS = 4000
_SETTLING_S = 120.0
_BREAK_EVERY_S = 20 * 60.0
_BREAK_S = 5 * 60.0


@final
@dataclass(frozen=True)
class Plan:
    """Numbers that reach the power asked for.

    Args:
        readers: Readers.
        items: Items that each of them reads, half of them synthetic; 0 where no number up to 4000 suffices.
        equivalence_power: Chance that readers who guess are placed within the margin.
        minutes: Time for each reader.
    """

    readers: int
    items: int
    equivalence_power: float
    minutes: float


def plans(
    margin: float,
    *,
    power: float = 0.8,
    readers: Sequence[int] = (1, 3, 4, 5, 8, 12),
    spread: float = READER_SPREAD,
    correlation: float = CASE_CORRELATION,
    seconds: float = 8.0,
) -> tuple[Plan, ...]:
    """Items needed to conclude equivalence within a margin, for numbers of readers.

    Args:
        margin: Equivalence margin on the accuracy, in (0, 0.5).
        power: Chance to conclude it where readers guess.
        readers: Numbers of readers; two are no sample and are treated as one.
        spread: Standard deviation of the accuracy between readers.
        correlation: Correlation of two readers' answers to the same image.
        seconds: Time for an item.

    Raises:
        CohortError: A number is out of range.

    Example:
        >>> [plan.items for plan in plans(0.1, readers=(1,))]
        [214]
    """
    if not (0 < margin < 0.5 and 0 < power < 1 and 0 <= correlation < 1 and spread >= 0 and seconds > 0):
        raise CohortError(
            f"margin {margin:g}, power {power:g}, spread {spread:g}, correlation {correlation:g}",
            "a margin in (0, 0.5), a power in (0, 1), a spread of at least 0, a correlation in [0, 1)",
        )
    found = []
    for count in readers:

        def reached(items: int, count: int = count) -> float:
            return equivalence_power(items, margin, readers=count, spread=spread, correlation=correlation)

        items = _fewest(reached, power)
        found.append(Plan(count, items, reached(items) if items else float("nan"), minutes(items, seconds=seconds)))
    return tuple(found)


def equivalence_power(
    items: int,
    margin: float,
    *,
    readers: int = 1,
    truth: float = 0.5,
    spread: float = READER_SPREAD,
    correlation: float = CASE_CORRELATION,
) -> float:
    """Chance that the accuracy is placed within chance +- margin at 5 %.

    Args:
        items: Items read by each reader.
        margin: Equivalence margin on the accuracy.
        readers: Readers; from three on they are a sample of readers.
        truth: Their true accuracy.
        spread: Standard deviation of the accuracy between readers.
        correlation: Correlation of two readers' answers to the same image.

    Example:
        >>> round(equivalence_power(100, 0.1), 2), round(equivalence_power(300, 0.1), 2)
        (0.24, 0.93)
    """
    if readers < 3:
        outcomes = np.arange(items + 1)
        above = stats.binom.sf(outcomes - 1, items, 0.5 - margin)
        below = stats.binom.cdf(outcomes, items, 0.5 + margin)
        return float(stats.binom.pmf(outcomes, items, truth)[np.maximum(above, below) < 0.05].sum())
    error, freedom = _variance(items, readers, truth, spread, correlation)
    critical = stdtrit(freedom, 0.95)
    shifts = [(truth - 0.5 + margin) / error, (0.5 + margin - truth) / error]
    return float(max(0.0, 1 - sum(nctdtr(freedom, shift, critical) for shift in shifts)))


def minutes(items: int, *, repeats: float = 0.1, practice: int = 3, seconds: float = 8.0) -> float:
    """Time of one reader: items, repeats, practice, two minutes to begin, and five minutes' rest after every twenty.

    Args:
        items: Items that count.
        repeats: Share of items shown once more.
        practice: Practice items.
        seconds: Time for an item.

    Example:
        >>> round(minutes(100), 1)
        17.1
    """
    if not items:
        return float("nan")
    reading = (items * (1 + repeats) + practice) * seconds
    return float((_SETTLING_S + reading + _BREAK_S * np.floor(reading / _BREAK_EVERY_S)) / 60)


def _variance(items: int, readers: int, truth: float, spread: float, correlation: float) -> tuple[float, float]:
    """Standard error and degrees of freedom of a mean accuracy; those of `mrmc.Estimates`."""
    one = truth * (1 - truth) / items
    own = (spread**2 + one * (1 - correlation)) / readers
    total = own + one * correlation
    others = readers - 1
    return float(np.sqrt(total)), others * (total / own) ** (2 - 2 / others)


def _fewest(reached: Callable[[int], float], power: float) -> int:
    """Fewest even items that reach a power and keep it for the next ones; 0 where none does."""
    low, high = 2, MOST_ITEMS
    if reached(high) < power:
        return 0
    while high - low > 2:
        middle = (low + high) // 4 * 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return high


def needed_items(settings: ReaderSpec) -> list[str]:
    """Say how many items show that guessing readers cannot distinguish, by number of readers; none for other kinds.

    Args:
        settings: Settings of the study.
    """
    if settings.kind not in {"turing", "choice"}:
        return []
    margin = settings.analysis.margin
    found = plans(margin, readers=(1, 3, 5), seconds=SECONDS[settings.kind])
    needed = ", ".join(
        f"{f'{one.items} items' if one.items else 'no number up to 4000'} with {counted(one.readers, 'reader')}"
        for one in found
    )
    return [f"to place guessing readers within {100 * margin:g} points of chance with a power of 80 %: {needed}"]
