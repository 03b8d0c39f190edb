"""What a study fixes before anybody sees its results: primary contrast, family, margins, spread, small regions."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.statistics import Margins, Plan, SmallRegions

_LEAST_PLANNED: Final = 2
"""Test subjects from which a plan has a power."""


class PlanSpec(Spec):
    """What is fixed before the results; all numbers are Dice over regions, by subject."""

    sd: float | None = Field(None, gt=0)
    """Standard deviation over subjects of the paired difference, from other data; without it no power is planned."""
    source: str = ""
    """Where `sd` comes from, such as `21 phantoms`; never the results that are judged."""
    expected: float = Field(0.02, gt=0)
    """Gain that the study is planned for."""
    margin: float | None = Field(None, gt=0)
    """Margin of equivalence; without it neither equivalence nor non-inferiority is concluded."""
    non_inferiority: float | None = Field(None, gt=0)
    """Margin of non-inferiority; `margin` unless given."""
    primary: str | None = None
    """Arm whose contrast with its reference stands outside the family; the first arm under test unless given."""
    family: tuple[str, ...] | None = None
    """Arms whose contrasts are corrected together by Holm's procedure; all arms unless given, the others being
    exploratory."""
    small_ml: float = Field(2.0, gt=0)
    """Volume in ml below which a true region is small."""
    decides: Literal["all", "without"] = "all"
    """Which answer is the study's: that on all subjects, or that without those who have a small region."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if (self.sd is None) == bool(self.source):
            msg = f"sd {self.sd} and source {self.source!r}: give both, the spread and where it comes from, or neither"
            raise ValueError(msg)
        if self.non_inferiority is not None and self.margin is None:
            msg = f"non_inferiority {self.non_inferiority} without margin: give margin too"
            raise ValueError(msg)
        if self.family is not None and self.primary in self.family:
            msg = f"primary {self.primary!r} is in the family; it is tested outside it"
            raise ValueError(msg)
        return self

    @property
    def margins(self) -> Margins | None:
        """Margins of equivalence and non-inferiority, if any."""
        return None if self.margin is None else Margins(self.margin, self.non_inferiority or self.margin)

    @property
    def small(self) -> SmallRegions:
        """The rule for small regions."""
        return SmallRegions(self.small_ml, self.decides)

    def power_with(self, subjects: int) -> Plan | None:
        """Return the planned power with so many test subjects; none without a spread or below two subjects.

        Example:
            >>> plan = PlanSpec(sd=0.081, source="phantoms").power_with(57)
            >>> None if plan is None else round(plan.detectable, 3)
            0.031
        """
        if self.sd is None or subjects < _LEAST_PLANNED:
            return None
        return Plan(self.sd, subjects, self.expected, self.source)

    def require_arms(self, known: list[str]) -> None:
        """Refuse a plan that names an arm which is not compared with another.

        Raises:
            ValueError: Its path of keys and the arms known are named.
        """
        for key, names in (("primary", [self.primary] if self.primary else []), ("family", list(self.family or ()))):
            unknown = [name for name in names if name not in known]
            if unknown:
                msg = f"plan.{key} names {unknown}, which are not among the arms that have a reference, {known}"
                raise ValueError(msg)
