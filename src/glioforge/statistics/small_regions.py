"""A rule for small regions, fixed before the look: results with and without them, and which of the two decides.

One voxel more or less moves the Dice of a region of 1 ml by percents, and a
region that a subject does not have scores 0 or 1.  Such subjects can carry or
hide a difference, so every answer is given twice.

Conventions
-----------
volume      of the true region in ml, one a subject; the mean over its cases
small       a volume below `minimum_ml`, an absent region included
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Bool

from glioforge.core import CohortError, SpecError
from glioforge.statistics.contrast import Contrast
from glioforge.statistics.judging import Finding, judge_family


@final
@dataclass(frozen=True)
class SmallRegions:
    """What is done about subjects whose true region is small.

    Args:
        minimum_ml: Volume from which a region counts as large enough.
        decides: Which answer is the study's: that on `all` subjects, or that `without` small regions.

    Raises:
        SpecError: The volume is not above 0.

    Example:
        >>> SmallRegions().minimum_ml
        2.0
    """

    minimum_ml: float = 2.0
    decides: Literal["all", "without"] = "all"

    def __post_init__(self) -> None:
        if not 0 < self.minimum_ml < np.inf:
            raise SpecError(f"small regions below {self.minimum_ml} ml", "a volume above 0")

    def small(self, contrast: Contrast, volumes_ml: Mapping[str, float]) -> Bool[np.ndarray, "subject"]:
        """Return which subjects of a contrast have a small region.

        Raises:
            CohortError: The volume of a subject is not known.
        """
        unknown = [name for name in contrast.names if not np.isfinite(volumes_ml.get(name, np.nan))]
        if unknown:
            raise CohortError(
                f"no volume of {', '.join(unknown[:20])}", "the true volume of each subject", where=contrast.name
            )
        return np.array([volumes_ml[name] < self.minimum_ml for name in contrast.names], dtype=bool)


@final
@dataclass(frozen=True)
class WithAndWithout:
    """The same question on all subjects, and without those whose region is small.

    Args:
        everyone: Finding on all subjects.
        without: Finding without small regions; the same as `everyone` where none is small.
        small: Subjects left out of `without`.
        rule: The rule, as it was fixed beforehand.
    """

    everyone: Finding
    without: Finding
    small: tuple[str, ...]
    rule: SmallRegions

    @property
    def deciding(self) -> Finding:
        """The finding that the rule named beforehand."""
        return self.everyone if self.rule.decides == "all" else self.without

    @property
    def agree(self) -> bool:
        """Whether both show the same."""
        return self.everyone.shown is self.without.shown


def judge_with_and_without(
    contrasts: Sequence[Contrast],
    volumes_ml: Sequence[Mapping[str, float]],
    rule: SmallRegions,
    *,
    seed: int,
    alpha: float = 0.05,
) -> tuple[WithAndWithout, ...]:
    """Judge a study's contrasts twice, each time with Holm's correction over the family.

    Args:
        contrasts: As for `judge_family`.
        volumes_ml: For each contrast, the true volume of its region by subject.
        rule: Fixed beforehand.
        seed: Of bootstrap and random sign patterns.
        alpha: Two-sided level.

    Raises:
        CohortError: A volume is not known, or contrasts and volumes differ in number.
        SpecError: As `judge_family`.
    """
    if len(contrasts) != len(volumes_ml):
        raise CohortError(f"volumes for {len(volumes_ml)} of {len(contrasts)} contrasts", "one mapping a contrast")
    small = [rule.small(contrast, volumes) for contrast, volumes in zip(contrasts, volumes_ml, strict=True)]
    kept = [contrast.only(~out) for contrast, out in zip(contrasts, small, strict=True)]
    pairs = zip(
        judge_family(contrasts, seed=seed, alpha=alpha), judge_family(kept, seed=seed, alpha=alpha), strict=True
    )
    return tuple(
        WithAndWithout(everyone, without, tuple(np.array(contrast.names)[out].tolist()), rule)
        for (everyone, without), contrast, out in zip(pairs, contrasts, small, strict=True)
    )
