"""What an attack reports: a measure with its bound and limit, and the evidence that there is a leak."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, final, runtime_checkable

import numpy as np

from glioforge.privacy.evidence import Evidence

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]
POINTS: Final = (0.01, 0.05, 0.10)
"""False-positive rates at which true-positive rates are reported."""


@final
@dataclass(frozen=True)
class Limits:
    """Largest upper bounds with which a release passes.

    Args:
        copies: Excess share of near copies among synthetic cases.
        nearer: Share nearer to training than to held-out subjects; 0.5 is chance.
        auc: Area under the ROC curve of any attack; 0.5 is chance.
        tpr: True-positive rate at a false-positive rate of 5 %.
        linkage: Share of synthetic cases whose donor is the nearest training subject.
    """

    copies: float = 0.01
    nearer: float = 0.55
    auc: float = 0.60
    tpr: float = 0.15
    linkage: float = 0.02


@final
@dataclass(frozen=True)
class Finding:
    """Outcome of one attack.

    Args:
        attack: Name of the attack.
        measure: What is bounded, in words.
        estimate: The measure; NaN where it could not be taken.
        bound: Its one-sided upper bound.
        limit: The largest bound that passes.
        p: One-sided p-value of no leak at all.
        chance: Value of the measure without a leak.
        count: Units of evidence behind it: synthetic cases or subjects.
        controlled: Whether split bias could produce it, so that the controls must hold.
        detail: Further numbers for the page, plain values.
    """

    attack: str
    measure: str
    estimate: float
    bound: float
    limit: float
    p: float
    chance: float
    count: int
    controlled: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def title(self) -> str:
        """The attack, and the measure where an attack has two."""
        return f"{self.attack}, rate at 5 %" if self.chance == POINTS[1] else self.attack

    @property
    def passes(self) -> bool:
        """Whether the bound is known and within the limit."""
        return bool(np.isfinite(self.bound) and self.bound <= self.limit)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; null for what is not a number."""
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in vars(self).items()
        } | {"detail": dict(self.detail)}


@final
@dataclass(frozen=True)
class Control:
    """An experiment in which nothing can leak: what it shows is bias of the split.

    Args:
        name: What was compared.
        auc: Area under the ROC curve; 0.5 without bias.
        p: Two-sided p-value.
        count: Subjects of the smaller side.
    """

    name: str
    auc: float
    p: float
    count: int

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


@runtime_checkable
class Attack(Protocol):
    """One attack."""

    @property
    def name(self) -> str:
        """Name for tables."""
        ...

    @property
    def knows(self) -> str:
        """What the attacker holds, one sentence."""
        ...

    def findings(self, evidence: Evidence, limits: Limits, level: float, seed: int) -> tuple[Finding, ...]:
        """Attack; nothing where the evidence it needs was not handed in.

        Args:
            evidence: What may be looked at.
            limits: Largest bounds that pass.
            level: Error of each one-sided bound.
            seed: Of permutations.
        """
        ...

    def controls(self, evidence: Evidence) -> tuple[Control, ...]:
        """Experiments of the same attack in which nothing can leak."""
        ...
