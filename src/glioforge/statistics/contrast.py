"""A contrast: one arm against another, with everything about it that is written down before the look.

Conventions
-----------
differences  float64, `(draw, generator, segmenter, subject)`: arm minus
             reference, turned so that more is better; NaN where not measured.
             Of a metric compared as a ratio they are differences of logarithms,
             and so are margins and plan
margins      positive, in the unit of the differences
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from jaxtyping import Bool, Float64

from glioforge.core import CohortError, SpecError
from glioforge.statistics.power import Plan

Differences = Float64[np.ndarray, "*axes"]


@final
@dataclass(frozen=True)
class Margins:
    """How small a difference does not matter.

    Args:
        equivalence: Differences within plus and minus this are equivalent.
        non_inferiority: An arm that is worse by less than this is non-inferior.

    Raises:
        SpecError: A margin is not above 0.
    """

    equivalence: float
    non_inferiority: float

    def __post_init__(self) -> None:
        if not (0 < self.equivalence < np.inf and 0 < self.non_inferiority < np.inf):
            raise SpecError(
                f"margins of equivalence {self.equivalence} and non-inferiority {self.non_inferiority}",
                "numbers above 0",
            )


@final
@dataclass(frozen=True, eq=False)
class Contrast:
    """One arm against its reference in one endpoint.

    Args:
        name: Name for messages and tables, such as `real+synthetic against real`.
        differences: Paired differences, see the conventions.
        subjects: Name of each subject; numbered if empty.
        sites: Site of each subject; empty where sites are unknown.
        primary: Whether it is the one contrast that is outside the family of Holm's correction.
        margins: Margins of equivalence and non-inferiority; without them neither is concluded.
        plan: Spread and size fixed before the look; without it power comes from the results and is said to.
        folds: Folds of a cross-validation; 1 for a single split.

    Raises:
        CohortError: Names, sites and differences differ in number.
    """

    name: str
    differences: Differences
    subjects: Sequence[str] = ()
    sites: Sequence[str] = ()
    primary: bool = False
    margins: Margins | None = None
    plan: Plan | None = None
    folds: int = 1
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.differences.ndim != 4:
            raise CohortError(
                f"differences of shape {self.differences.shape}",
                "(draw, generator, segmenter, subject)",
                where=self.name,
            )
        count = self.differences.shape[-1]
        for what, given in (("subjects", self.subjects), ("sites", self.sites)):
            if given and len(given) != count:
                raise CohortError(f"{len(given)} {what} for {count} columns", "one each", where=self.name)
        object.__setattr__(self, "names", tuple(self.subjects) or tuple(str(n + 1) for n in range(count)))

    def only(self, keep: Bool[np.ndarray, "subject"]) -> "Contrast":
        """Return the contrast on some of the subjects."""
        kept: list[int] = np.flatnonzero(keep).tolist()
        return replace(
            self,
            differences=self.differences[..., kept],
            subjects=tuple(self.names[n] for n in kept),
            sites=tuple(self.sites[n] for n in kept) if self.sites else (),
        )

    @property
    def limits(self) -> tuple[str, ...]:
        """What the design keeps out of the interval, as sentence fragments; empty if nothing."""
        draws, generators, segmenters, _ = self.differences.shape
        found = []
        if draws == 1:
            found.append("one draw of training subjects, so that the interval is that of this training set")
        if draws * generators * segmenters == 1:
            found.append("one training of each arm, so that the luck of a training is not in the interval")
        if self.folds > 1:
            found.append(f"{self.folds} folds that share training subjects, so that the interval may be too narrow")
        return tuple(found)
