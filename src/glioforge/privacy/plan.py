"""How many subjects and synthetic cases an audit needs, so that a generator that leaks nothing passes.

The chance of passing is the product over all bounds that decide, of the controls and
of the screening for near copies, which is less than the truth where these go together.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final, final

import numpy as np
from scipy.stats import betabinom, binom, norm

from glioforge.privacy.finding import upper_share
from glioforge.privacy.rules import CONTROL_ERROR, AuditSpec

POWER: Final = 0.9
"""Chance with which a generator that leaks nothing should pass."""
HUBS: Final = 0.2
"""Squared coefficient of variation, beyond chance, of how often a person is the nearest one; from simulated fields."""
SCREENED: Final = 0.01
"""Chance that the screening quarantines a case of a generator that leaks nothing; from simulated fields."""
CASES_EACH: Final = 7
"""Synthetic cases a training subject of the sizes that are needed: cases are cheap, subjects are not."""
_MOST: Final = 20_000
_STEP: Final = 25


@final
@dataclass(frozen=True)
class Sizes:
    """Sizes of an audit.

    Args:
        training: Training subjects.
        held_out: Held-out subjects.
        control: Control subjects, of whom half calibrate.
        cases: Synthetic cases.
    """

    training: int
    held_out: int
    control: int
    cases: int

    def __str__(self) -> str:
        """One clause."""
        return (
            f"{self.training} training, {self.held_out} held-out and {self.control} control subjects, "
            f"{self.cases} synthetic cases"
        )


@final
@dataclass(frozen=True)
class AuditPlan:
    """What the sizes of an audit allow it to say.

    Args:
        sizes: The sizes at hand.
        chance: Chance that a generator that leaks nothing passes.
        needed: Smallest sizes with which that chance is `POWER`.
        detectable_copies: Smallest share of near copies that exceeds its limit with a chance of `POWER`.
        lacking: What makes the audit INCONCLUSIVE whatever it finds, a clause each.
    """

    sizes: Sizes
    chance: float
    needed: Sizes
    detectable_copies: float
    lacking: tuple[str, ...]

    def __str__(self) -> str:
        """Sentences for the terminal and the page."""
        text = f"Audit of {self.sizes}: a generator that leaks nothing passes with a probability of {self.chance:.2f}."
        if self.lacking:
            text += f" INCONCLUSIVE whatever is found: {'; '.join(self.lacking)}."
        if self.lacking or self.chance < POWER:
            text += f" For a probability of {POWER:g}: {self.needed}."
        return text


def plan_audit(sizes: Sizes, spec: AuditSpec, *, attributes: int = 3, attempt: int = 1) -> AuditPlan:
    """Say what an audit of these sizes can show, and which sizes it needs.

    Args:
        sizes: Sizes at hand.
        spec: Settings.
        attributes: Attributes that are tested for disclosure.
        attempt: Which audit of the generator this is.
    """
    level = spec.level(attempt)
    chance = 0.0 if (lacking := lacks(sizes, spec)) else pass_chance(sizes, spec, level, attributes)
    return AuditPlan(sizes, chance, needed_sizes(spec, level, attributes), detectable(sizes.cases), lacking)


def lacks(sizes: Sizes, spec: AuditSpec) -> tuple[str, ...]:
    """Return what is too few to conclude anything, a clause each."""
    least = {
        "training subjects": (sizes.training, spec.fewest_subjects),
        "held-out subjects": (sizes.held_out, spec.fewest_subjects),
        "control subjects": (sizes.control, spec.fewest_control),
        "synthetic cases": (sizes.cases, spec.fewest_cases),
    }
    return tuple(f"{have} {what} of at least {need}" for what, (have, need) in least.items() if have < need)


def pass_chance(sizes: Sizes, spec: AuditSpec, level: float, attributes: int = 3) -> float:
    """Return the chance that a generator that leaks nothing passes.

    Args:
        sizes: Sizes.
        spec: Limits and the recipient.
        level: Error of each bound.
        attributes: Attributes that are tested.
    """
    subjects = min(sizes.training, sizes.held_out)
    width = float(norm.isf(level))
    share = np.sqrt(0.25 / sizes.cases + 0.25 * HUBS / (2 * subjects))
    area = np.sqrt((sizes.training + sizes.held_out + 1) / (12 * sizes.training * sizes.held_out))
    areas = norm.cdf((spec.auc - 0.5) / area - width) ** (attributes + (4 if spec.weights_released else 2))
    rates = _rate_chance(sizes, spec.tpr, level) ** (4 if spec.weights_released else 2)
    linked = _most(sizes.cases, spec.linkage, level)
    chance = norm.cdf((spec.nearer - 0.5) / share - width) * binom.cdf(linked, sizes.cases, 1 / sizes.training)
    decided = 1.0 if spec.recipient == "secure" else float(areas * rates)
    return float(chance) * decided * (1 - CONTROL_ERROR) * (1 - SCREENED)


def needed_sizes(spec: AuditSpec, level: float, attributes: int = 3) -> Sizes:
    """Return the smallest sizes, `CASES_EACH` synthetic cases a training subject, that pass with a chance of `POWER`.

    Args:
        spec: Limits and the recipient.
        level: Error of each bound.
        attributes: Attributes that are tested.
    """
    for count in range(spec.fewest_subjects, _MOST, _STEP):
        cases = max(spec.fewest_cases, CASES_EACH * count, ceil(-np.log(level) / spec.copies))
        sizes = Sizes(count, count, max(spec.fewest_control, count), cases)
        if pass_chance(sizes, spec, level, attributes) >= POWER:
            return sizes
    return Sizes(_MOST, _MOST, _MOST, CASES_EACH * _MOST)


def detectable(cases: int, power: float = POWER) -> float:
    """Return the smallest share of copies of which at least 5 are among the cases with this chance.

    Args:
        cases: Synthetic cases; 1 for none.
        power: The chance.

    Example:
        >>> round(detectable(1500), 4)
        0.0054
    """
    if cases < 10:
        return 1.0
    shares = np.linspace(0.0001, 1, 10_000)
    return float(shares[np.argmax(binom.sf(4, cases, shares) >= power)])


def _rate_chance(sizes: Sizes, limit: float, level: float) -> float:
    """Chance that the bound of the true-positive rate at 5 % false positives is within its limit."""
    place = max(1, int(0.05 * sizes.held_out))
    most = _most(sizes.training, limit, level)
    return float(betabinom(sizes.training, place, sizes.held_out - place + 1).cdf(most))


def _most(count: int, limit: float, level: float) -> int:
    """Most hits of a count with which the upper bound of their share is within the limit; -1 for none."""
    hits = int(limit * count)
    while hits >= 0 and upper_share(hits, count, level) > limit:
        hits -= 1
    return hits
