"""All that an audit found, for its page, its summary and programs."""

from dataclasses import asdict, dataclass
from typing import Any, Final, final

from glioforge.core import Cohort
from glioforge.privacy import RECIPIENTS, Attempt, AuditPlan, AuditSpec, Judgement, Outcome, Pair
from glioforge.runs.audit_evidence import Gathered

WORDS: Final = {
    "PASS": "No leak was found above the detection limits",
    "FAIL": "A leak was found",
    "INCONCLUSIVE": "Nothing can be concluded, and the release is blocked",
}
"""What each verdict means, in words."""


@final
@dataclass(frozen=True, eq=False)
class Audited:
    """Outcome of an audit.

    Args:
        judgement: What the gate says.
        plan: What the sizes allow it to say.
        attempt: The registered attempt.
        spec: Settings.
        gathered: The evidence with the cases behind it.
        pairs: Quarantined pairs with signed decisions.
        cohorts: Synthetic, training, held-out and control cases.
    """

    judgement: Judgement
    plan: AuditPlan
    attempt: Attempt
    spec: AuditSpec
    gathered: Gathered
    pairs: tuple[Pair, ...]
    cohorts: tuple[Cohort, ...]

    @property
    def verdict(self) -> Outcome:
        """PASS, FAIL or INCONCLUSIVE."""
        return self.judgement.verdict

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, for the recipient it holds for."""
        recipient = RECIPIENTS[self.spec.recipient].title
        sentence = f"{self.verdict}: {WORDS[self.verdict]}, for a release to {recipient}."
        if self.verdict == "PASS":
            return f"{sentence[:-1]}; detection limit {self.plan.detectable_copies:.1%} of near copies."
        return f"{sentence} {'; '.join(self.judgement.reasons[:4])}.".replace("..", ".")

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found = self.judgement
        names = ("synthetic", "training", "held_out", "control")
        return {
            "verdict": self.verdict,
            "reasons": list(found.reasons),
            "notes": list(found.notes),
            "rules": self.attempt.rules,
            "attempt": self.attempt.number,
            "registered": self.attempt.registered,
            "level": found.level,
            "recipient": self.spec.recipient,
            "spec": self.spec.model_dump(mode="json"),
            "plan": {**asdict(self.plan), "text": str(self.plan)},
            "cohorts": {
                n: {"name": c.name, "cases": len(c), "subjects": len(c.subject_ids), "fingerprint": c.fingerprint}
                for n, c in zip(names, self.cohorts, strict=True)
            },
            "findings": [decided.to_json() for decided in found.findings],
            "controls": [{**control.to_json(), "holds": holds} for control, holds in found.controls],
            "sets": {pair: vars(test) for pair, test in self.gathered.sets.items()},
            "quarantine": [pair.to_json() for pair in self.pairs],
        }
