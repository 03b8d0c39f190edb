"""What a contrast shows: helps, harms, equivalent, non-inferior or not shown, and the numbers behind the answer.

Rules
-----
helps, harms   the two-sided interval of the primary contrast leaves 0 out; of
               the others, Holm's p is below `alpha`
equivalent     two one-sided tests at `alpha` put the difference within the
               margin of equivalence (Schuirmann 1987)
non-inferior   a one-sided test at `alpha / 2` puts the arm less than the margin
               below its reference (ICH E9, section 3.5)
not shown      none of these; the smallest detectable difference goes with it
too few        below `ENOUGH_SUBJECTS` subjects nothing is concluded

Source: Holm, Scandinavian Journal of Statistics 6 (1979); Schuirmann, Journal of
Pharmacokinetics and Biopharmaceutics 15 (1987); and see `crossed` and `power`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final, final

import numpy as np

from glioforge.core import SpecError
from glioforge.statistics.contrast import Contrast, Margins
from glioforge.statistics.crossed import Estimate, Factor, Method, estimate_mean
from glioforge.statistics.inference import Range, effect_size, holm, leave_groups_out, leave_one_out, sign_flip_p
from glioforge.statistics.intervals import Interval, too_few, wilson
from glioforge.statistics.power import DIFFERENCES, Plan, smallest_shown

LOW_POWER: Final = 0.5
"""Planned power below which a shown difference is said to be exaggerated."""


@final
@unique
class Shown(StrEnum):
    """What a contrast shows."""

    HELPS = "helps"
    """Better than the reference."""
    HARMS = "harms"
    """Worse than the reference."""
    EQUIVALENT = "equivalent"
    """Neither better nor worse by more than the margin."""
    NON_INFERIOR = "non-inferior"
    """Not worse by more than the margin."""
    NOT_SHOWN = "not shown"
    """Nothing; which is no evidence of equality."""


@final
@dataclass(frozen=True)
class Needed:
    """Subjects that a difference needs; None where no number is enough."""

    difference: float
    subjects: int | None


@final
@dataclass(frozen=True)
class Finding:
    """What a contrast shows, and on what that rests.

    Args:
        contrast: Its name.
        primary: Whether it was tested outside the family.
        shown: The answer.
        difference: Mean difference with its interval at `1 - alpha`.
        narrow: The same at `1 - 2 alpha`, the interval that equivalence is read from.
        p: Two-sided p of no difference, over trainings and subjects; agrees with `difference`.
        p_adjusted: Holm's p within the family; `p` of the primary contrast.
        p_sign_flip: Two-sided sign-flip p over subjects, of these very trainings; makes no assumption on shape.
        p_equivalent: p of two one-sided tests, Holm's within the family; NaN without margins.
        p_non_inferior: One-sided p against the margin, Holm's within the family; NaN without margins.
        family: Contrasts corrected together; 1 for the primary.
        alpha: Two-sided level.
        method: How interval and p were made.
        freedom: Degrees of freedom of the difference.
        factors: What varies, with the part of the variance of the mean that it explains.
        better: Subjects on whom the arm is better.
        worse: Subjects on whom it is worse.
        improved: Share of subjects on whom it is better, with Wilson's interval.
        sd: Standard deviation of the subjects' differences; NaN below two subjects.
        effect_size: Mean over standard deviation of the subjects' differences; NaN below two subjects.
        without_subject: Range of the mean with each subject left out.
        without_site: Range with each site left out; NaN where fewer than two sites are known.
        margins: Margins set beforehand, if any.
        plan: What was assumed before the look, if anything.
        detectable: Smallest difference shown with the plan's power, 80 % without a plan; from the plan's spread, and
            from that of the results where there is no plan.
        needed: Subjects that gains of `DIFFERENCES` need under the plan; empty without one.
        planned_power: Power for the plan's expected difference; NaN without a plan.
        exaggeration: Mean factor by which a shown difference is too large, where the planned power is below
            `LOW_POWER`; NaN otherwise.
        limits: What the design keeps out of the interval, as sentence fragments.
    """

    contrast: str
    primary: bool
    shown: Shown
    difference: Interval
    narrow: Interval
    p: float
    p_adjusted: float
    p_sign_flip: float
    p_equivalent: float
    p_non_inferior: float
    family: int
    alpha: float
    method: Method
    freedom: float
    factors: tuple[Factor, ...]
    better: int
    worse: int
    improved: Interval
    sd: float
    effect_size: float
    without_subject: Range
    without_site: Range
    margins: Margins | None
    plan: Plan | None
    detectable: float
    needed: tuple[Needed, ...]
    planned_power: float
    exaggeration: float
    limits: tuple[str, ...]

    @property
    def within_margin(self) -> bool:
        """Whether the difference, shown or not, is smaller than the margin of equivalence."""
        return bool(self.p_equivalent < self.alpha)


def judge(contrast: Contrast, *, seed: int, alpha: float = 0.05) -> Finding:
    """Judge one contrast by itself, as the primary one of a study is.

    Args:
        contrast: Differences, and what was fixed beforehand.
        seed: Of bootstrap and random sign patterns.
        alpha: Two-sided level.

    Raises:
        CohortError: A subject has no difference, or one is infinite.

    Example:
        >>> gains = np.linspace(0.01, 0.05, 12).reshape(1, 1, 1, 12)
        >>> found = judge(Contrast("more against real", gains, primary=True), seed=0)
        >>> found.shown.value, found.better, found.method
        ('helps', 12, 't')
    """
    if not 0 < alpha < 0.5:
        raise SpecError(f"alpha {alpha}", "a level in (0, 0.5)", where=contrast.name)
    estimate = estimate_mean(contrast.differences, seed=seed)
    present = np.isfinite(contrast.differences)
    means = np.where(present, contrast.differences, 0).sum(axis=(0, 1, 2)) / np.maximum(present.sum(axis=(0, 1, 2)), 1)
    better = int((means > 0).sum())
    found = Finding(
        contrast=contrast.name,
        primary=contrast.primary,
        shown=Shown.NOT_SHOWN,
        difference=estimate.interval(1 - alpha),
        narrow=estimate.interval(1 - 2 * alpha),
        p=estimate.p(),
        p_adjusted=estimate.p(),
        p_sign_flip=sign_flip_p(means, seed=seed),
        p_equivalent=_equivalent(estimate, contrast.margins),
        p_non_inferior=estimate.p_above(-contrast.margins.non_inferiority) if contrast.margins else float("nan"),
        family=1,
        alpha=alpha,
        method=estimate.method,
        freedom=estimate.freedom,
        factors=estimate.factors,
        better=better,
        worse=int((means < 0).sum()),
        improved=wilson(better, len(means), 1 - alpha),
        sd=float(means.std(ddof=1)) if len(means) > 1 else float("nan"),
        effect_size=effect_size(means),
        without_subject=leave_one_out(means, contrast.names),
        without_site=leave_groups_out(means, contrast.sites),
        margins=contrast.margins,
        plan=contrast.plan,
        detectable=_detectable(contrast.plan, estimate, alpha),
        needed=_needed(contrast.plan),
        planned_power=contrast.plan.power_for() if contrast.plan else float("nan"),
        exaggeration=_exaggeration(contrast.plan),
        limits=contrast.limits,
    )
    return replace(found, shown=_shown(found))


def judge_family(contrasts: Sequence[Contrast], *, seed: int, alpha: float = 0.05) -> tuple[Finding, ...]:
    """Judge the contrasts of a study: the primary one by itself, all others with Holm's correction among them.

    Args:
        contrasts: At most one of them primary; none give nothing.
        seed: Of bootstrap and random sign patterns.
        alpha: Two-sided level, of the primary contrast and of the whole family.

    Returns:
        In the order given.

    Raises:
        SpecError: More than one contrast is primary.
        CohortError: As `judge`.
    """
    primary = [contrast.name for contrast in contrasts if contrast.primary]
    if len(primary) > 1:
        raise SpecError(f"primary contrasts {primary}", "one of them", "choose it before the results are seen")
    found = [judge(contrast, seed=seed, alpha=alpha) for contrast in contrasts]
    family = [finding for finding in found if not finding.primary]
    adjusted = {
        name: holm(np.array([getattr(finding, name) for finding in family], dtype=np.float64)).tolist()
        for name in ("p", "p_equivalent", "p_non_inferior")
    }
    corrected = [
        replace(finding, p_adjusted=p, p_equivalent=same, p_non_inferior=least, family=len(family))
        for finding, p, same, least in zip(family, *adjusted.values(), strict=True)
    ]
    others = iter(replace(finding, shown=_shown(finding)) for finding in corrected)
    return tuple(finding if finding.primary else next(others) for finding in found)


def _equivalent(estimate: Estimate, margins: Margins | None) -> float:
    """Larger p of the two one-sided tests; NaN without margins."""
    if margins is None:
        return float("nan")
    return float(np.fmax(estimate.p_above(-margins.equivalence), estimate.p_below(margins.equivalence)))


def _shown(finding: Finding) -> Shown:
    """Answer of a finding by the rules above."""
    if too_few(finding.difference.count):
        return Shown.NOT_SHOWN
    if finding.difference.excludes(0) if finding.primary else finding.p_adjusted < finding.alpha:
        return Shown.HELPS if finding.difference.estimate > 0 else Shown.HARMS
    if finding.within_margin:
        return Shown.EQUIVALENT
    return Shown.NON_INFERIOR if finding.p_non_inferior < finding.alpha / 2 else Shown.NOT_SHOWN


def _detectable(plan: Plan | None, estimate: Estimate, alpha: float) -> float:
    """Smallest difference shown, by the plan's spread; by that of the results where nothing was planned."""
    if plan is not None:
        return plan.detectable
    return smallest_shown(estimate.error, estimate.freedom if estimate.subjects > 1 else 0.0, alpha)


def _needed(plan: Plan | None) -> tuple[Needed, ...]:
    """Subjects that gains of `DIFFERENCES` need; empty without a plan."""
    return tuple(Needed(gain, plan.subjects_for(gain)) for gain in DIFFERENCES) if plan else ()


def _exaggeration(plan: Plan | None) -> float:
    """Exaggeration of a shown difference where the planned power is low; NaN otherwise."""
    return plan.exaggeration() if plan and plan.power_for() < LOW_POWER else float("nan")
