"""Random halves: every number about two cohorts at equal counts, with its floor and its interval over subjects.

A distance between finite sets isn't 0 when both come from one population, and it
falls as the sets grow.  Here one draw takes `n` subjects of each of three sets
that share no subject: a real half, another real half, and synthetic cases.  The
number compares the synthetic cases with the first half; its floor compares the
second half with the first.  Both have the same counts, and `n` is half of the
smaller cohort, so that no subject is counted twice.

The draws of a number are its delete-half jackknife (Shao & Wu 1989, Ann. Stat.
17:1176; Wu 1990, Ann. Stat. 18:1438): with half of the subjects left out, the
spread over draws is that of the number itself over samples of subjects.  Where a
cohort has more than twice `n` subjects, the interval is wider than it need be.

Conventions
-----------
unit      the subject of a real case; of a synthetic one, the cases whose labels it was made from
half      one case a unit, drawn at random where a unit has several
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Int64

from glioforge.core import CohortError, stream

DRAWS: Final = 50
"""Draws of a number, unless given."""
FEWEST_HALVED: Final = 4
"""Subjects of the smallest half."""
LEVEL: Final = 0.95
"""Coverage of intervals, and share of the floors that counts as usual."""

Places = Int64[np.ndarray, "_"]
Distance = Callable[[Places, Places], float]
"""Compares cases of a table by their rows: first the ones asked about, then the real ones."""


@final
@dataclass(frozen=True, eq=False)
class Halves:
    """Rows of one draw in a table that lists all cases.

    Args:
        made: Synthetic cases.
        real: The real half that both others are compared with.
        other: The other real half.
    """

    made: Places
    real: Places
    other: Places


@final
@dataclass(frozen=True)
class Number:
    """A number about two cohorts, with what two halves of the real one give.

    Args:
        value: Mean over draws, synthetic cases against real ones.
        low: Lower end of its 95 % interval over subjects.
        high: Upper end.
        floor: Mean over draws, real cases against real ones.
        floor_low: Lower end of the central 95 % of the floors.
        floor_high: Upper end.
        subjects: Subjects a side in each draw.
        draws: Number of draws.
    """

    value: float
    low: float
    high: float
    floor: float
    floor_low: float
    floor_high: float
    subjects: int
    draws: int

    @property
    def is_usual(self) -> bool:
        """Whether the value lies within the central 95 % of what two real halves give."""
        return self.floor_low <= self.value <= self.floor_high


def half_of(made: Sequence[str], real: Sequence[str]) -> int:
    """Return the subjects a side of one draw.

    Args:
        made: Unit of each synthetic case.
        real: Subject of each real case.

    Raises:
        CohortError: A side has fewer than twice `FEWEST` units.

    Example:
        >>> half_of("abcdefghij", "klmnopqrstu")
        5
    """
    for name, units in (("synthetic", made), ("real", real)):
        if len(set(units)) < 2 * FEWEST_HALVED:
            raise CohortError(
                f"{len(set(units))} subjects of the {name} cases",
                f"at least {2 * FEWEST_HALVED}, so that each half has {FEWEST_HALVED}",
                "add subjects; cases of one subject don't replace others",
            )
    return min(len(set(made)), len(set(real))) // 2


def halves(made: Sequence[str], real: Sequence[str], *, draws: int = DRAWS, seed: int = 1) -> tuple[Halves, ...]:
    """Draw halves; rows count the synthetic cases first, then the real ones.

    Args:
        made: Unit of each synthetic case.
        real: Subject of each real case.
        draws: Number of draws.
        seed: Root of the draws; draw `k` is the same whatever `draws` is.

    Raises:
        CohortError: A side has too few units.
    """
    count = half_of(made, real)
    own, theirs = _places(made, 0), _places(real, len(made))
    found = []
    for number in range(draws):
        rng = stream(seed, "halves", number)
        both = _drawn(theirs, 2 * count, rng)
        found.append(Halves(_drawn(own, count, rng), both[:count], both[count:]))
    return tuple(found)


def measured(distance: Distance, drawn: Sequence[Halves]) -> Number:
    """Measure a distance on every draw, and its floor.

    Args:
        distance: Takes rows of two sets of equal size.
        drawn: At least one draw.
    """
    values = np.array([distance(draw.made, draw.real) for draw in drawn])
    floors = np.array([distance(draw.other, draw.real) for draw in drawn])
    ends = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    low, high = (float(end) for end in np.quantile(values, ends))
    floor_low, floor_high = (float(end) for end in np.quantile(floors, ends))
    mean, floor = float(values.mean()), float(floors.mean())
    return Number(mean, low, high, floor, floor_low, floor_high, len(drawn[0].real), len(drawn))


def require_equal_counts(made: int, real: int, what: str) -> None:
    """Refuse sets of different sizes, whose distance depends on the sizes.

    Raises:
        CohortError: The sizes differ.
    """
    if made != real:
        raise CohortError(f"{what} of {made} against {real}", "equal counts", "draw as many from both (halves)")


def _places(units: Sequence[str], first: int) -> list[Places]:
    """Rows of each unit, in the order of their names."""
    rows: dict[str, list[int]] = {}
    for place, unit in enumerate(units):
        rows.setdefault(unit, []).append(first + place)
    return [np.array(rows[unit], dtype=np.int64) for unit in sorted(rows)]


def _drawn(units: Sequence[Places], count: int, rng: np.random.Generator) -> Places:
    """One row each of some units, in random order."""
    chosen = rng.permutation(len(units))[:count]
    return np.array([rng.choice(units[place]) for place in chosen], dtype=np.int64)
