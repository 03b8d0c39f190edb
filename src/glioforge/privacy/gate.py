"""The gate: PASS, FAIL or INCONCLUSIVE, by rules that were fixed before anything was looked at.

Rules
-----
1   INCONCLUSIVE where subjects or cases are too few, or training and other subjects differ as those of two sites do
2   a measure passes where its upper bound is within its limit; it fails where the bound is not and a leak is shown,
    after Holm's correction over all deciding measures; else it is inconclusive
3   FAIL where a measure fails that no bias of the split could produce, or whose controls hold
4   INCONCLUSIVE where a leak could have gone unseen: planted copies of a disguise not found, attacks on the model
    required and not handed in
5   INCONCLUSIVE where a control fails (one error for all of them), a measure is inconclusive, or a quarantined
    case awaits the signed decision of a person
6   PASS otherwise
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np

from glioforge.privacy.attributes import AttributeDisclosure
from glioforge.privacy.copies import (
    CAUGHT,
    CopyRate,
    DonorLinkage,
    Nearer,
    Threshold,
    near_copies,
    threshold_of,
)
from glioforge.privacy.evidence import Evidence
from glioforge.privacy.finding import Attack, Control, Finding, Outcome
from glioforge.privacy.membership import DENSITY, DISTANCE, LIKELIHOOD_RATIO, WithModel
from glioforge.privacy.plan import Sizes, lacks
from glioforge.privacy.rules import CONTROL_ERROR, AuditSpec, decides
from glioforge.statistics import holm

ATTACKS: Final[tuple[Attack, ...]] = (
    CopyRate(),
    Nearer(),
    DISTANCE,
    DENSITY,
    WithModel(),
    DonorLinkage(),
    AttributeDisclosure(),
)
"""All attacks, in the order of the page."""


@final
@dataclass(frozen=True)
class Decided:
    """A finding with what it means for the recipient.

    Args:
        finding: The finding.
        outcome: PASS, FAIL or INCONCLUSIVE.
        decides: Whether it decides for this recipient.
        p_holm: Its p-value after Holm's correction over deciding findings; its own p-value otherwise.
    """

    finding: Finding
    outcome: Outcome
    decides: bool
    p_holm: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return self.finding.to_json() | {"outcome": self.outcome, "decides": self.decides, "p_holm": self.p_holm}


@final
@dataclass(frozen=True, eq=False)
class Judgement:
    """What the gate says.

    Args:
        verdict: PASS, FAIL or INCONCLUSIVE.
        reasons: Why, a clause each; empty for PASS.
        findings: All findings.
        controls: All controls, each with whether it holds.
        threshold: Threshold of near copies with its power.
        quarantine: Synthetic case, training subject and nearness of each near copy.
        level: Error of each bound.
    """

    verdict: Outcome
    reasons: tuple[str, ...]
    findings: tuple[Decided, ...]
    controls: tuple[tuple[Control, bool], ...]
    threshold: Threshold
    quarantine: tuple[tuple[int, int, float], ...]
    level: float
    notes: tuple[str, ...] = field(default=())


def judge(
    evidence: Evidence,
    spec: AuditSpec,
    *,
    attempt: int = 1,
    lacking: Sequence[str] = (),
    settled: frozenset[int] = frozenset(),
) -> Judgement:
    """Run all attacks and decide.

    Args:
        evidence: What attacks may look at.
        spec: The rules, registered beforehand.
        attempt: 1, or 2 for the re-audit.
        lacking: What else makes the audit inconclusive, such as sites that differ; a clause each.
        settled: Quarantined synthetic cases on which a person has decided.
    """
    level = spec.level(attempt)
    threshold = threshold_of(evidence)
    found = [f for attack in ATTACKS for f in attack.findings(evidence, spec.limits, level, spec.seed)]
    findings = _decided(found, spec, level)
    raw = [control for attack in ATTACKS for control in attack.controls(evidence)]
    controls = tuple((control, control.p > CONTROL_ERROR / len(raw)) for control in raw)
    quarantine = near_copies(evidence, threshold)
    missing = [*lacks(sizes_of(evidence), spec), *lacking]
    unseen = _unseen(evidence, spec, threshold)
    failed = [d for d in findings if d.decides and d.outcome == "FAIL"]
    shaken = [control.name for control, holds in controls if not holds]
    sure = [d for d in failed if not (d.finding.controlled and shaken)]
    open_ = [d for d in findings if d.decides and d.outcome == "INCONCLUSIVE"]
    waiting = [case for case, _, _ in quarantine if case not in settled]
    notes = tuple(f"a leak is shown by {d.finding.attack}" for d in failed) if missing else ()
    notes = tuple(unseen) if sure and not missing else notes
    if missing:
        verdict, reasons = "INCONCLUSIVE", tuple(missing)
    elif sure:
        verdict, reasons = "FAIL", tuple(_clause(d) for d in sure)
    else:
        reasons = tuple(
            unseen
            + [f"control out of range: {name}" for name in shaken]
            + [_clause(d) for d in (*failed, *open_)]
            + ([f"{len(waiting)} quarantined cases await a signed decision"] if waiting else [])
        )
        verdict = "INCONCLUSIVE" if reasons else "PASS"
    return Judgement(verdict, reasons, findings, controls, threshold, quarantine, level, notes)  # type: ignore[arg-type]


def sizes_of(evidence: Evidence) -> Sizes:
    """Sizes of the evidence at hand."""
    sides = evidence.sides
    return Sizes(sides.training, sides.held_out, sides.control, evidence.count)


def _decided(found: Sequence[Finding], spec: AuditSpec, level: float) -> tuple[Decided, ...]:
    """Findings with outcomes, p-values corrected over those that decide."""
    deciding = [decides(spec.recipient, f.attack) for f in found]
    adjusted = iter(
        holm(np.array([f.p for f, is_deciding in zip(found, deciding, strict=True) if is_deciding])).tolist()
    )
    result = []
    for finding, is_deciding in zip(found, deciding, strict=True):
        p = next(adjusted) if is_deciding else finding.p
        outcome: Outcome = "PASS" if finding.passes else ("FAIL" if p <= level else "INCONCLUSIVE")
        result.append(Decided(finding, outcome, is_deciding, p))
    return tuple(result)


def _unseen(evidence: Evidence, spec: AuditSpec, threshold: Threshold) -> list[str]:
    """What could have hidden a leak, and casts no doubt on one that is shown."""
    unseen = []
    if not threshold.has_power:
        weak = [f"{kind} {share:.0%}" for kind, share in threshold.caught.items() if share < CAUGHT]
        unseen.append(f"planted copies not found in {CAUGHT:.0%}: {', '.join(weak) or 'none were planted'}")
    if spec.weights_released and LIKELIHOOD_RATIO not in evidence.model:
        unseen.append("weights are to be released, and no likelihood-ratio attack with shadow models was handed in")
    return unseen


def _clause(decided: Decided) -> str:
    """Why a finding does not pass."""
    finding = decided.finding
    p = "p < 0.001" if decided.p_holm < 0.001 else f"p = {decided.p_holm:.3f}"
    return (
        f"{finding.title}: {finding.estimate:.3f}, bound {finding.bound:.3f} above {finding.limit:g}"
        f" ({p}, {decided.outcome})"
    )
