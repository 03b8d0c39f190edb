"""Near copies in quarantine: what a person decides on each of them, signed.

`quarantine.json` names every pair with its pictures.  A person writes a decision,
a reason, a name and a date to each, and runs the audit again.  The signature ties
a decision to the very files of both cases and to the registered rules, so that it
does not hold for others.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self, final

from glioforge.core import InputFileError

REJECT: Final = "reject"
"""The case is left out of the release."""
ACCEPT: Final = "accept"
"""The person sees two different people."""
_FIELDS: Final = ("decision", "reason", "signed_by", "signed_on")


@final
@dataclass(frozen=True)
class Pair:
    """A synthetic case that is a near copy of a training subject by the audit's threshold.

    Args:
        case_id: The synthetic case.
        reference_id: Case of the training subject.
        nearness: Nearness of both.
        agreement: Correlation of detail after rigid alignment, -1 to 1; NaN where they could not be aligned.
        key: Hash of both cases' files and of the registered rules.
        decision: `reject`, `accept`, or empty while nobody has decided.
        reason: Of the decision.
        signed_by: Who decided.
        signed_on: When.
    """

    case_id: str
    reference_id: str
    nearness: float
    agreement: float
    key: str
    decision: Literal["reject", "accept", ""] = ""
    reason: str = ""
    signed_by: str = ""
    signed_on: str = ""

    @property
    def settled(self) -> bool:
        """Whether a person has decided, with name, date and reason."""
        return bool(self.decision and self.reason and self.signed_by and self.signed_on)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; null for what is not a number."""
        return dict(vars(self)) | {"agreement": None if math.isnan(self.agreement) else self.agreement}

    def with_decision(self, values: Mapping[str, Any]) -> "Pair":
        """Return the pair with what a person wrote.

        Raises:
            InputFileError: The decision is neither `reject` nor `accept`, or not signed.
        """
        given = {name: str(values.get(name) or "").strip() for name in _FIELDS}
        complete = all(given.values()) or not given["decision"]
        if given["decision"] not in {"", REJECT, ACCEPT} or not complete:
            raise InputFileError(
                f"decision {given['decision']!r} on {self.case_id!r}, signed by {given['signed_by']!r}",
                f"{REJECT!r} or {ACCEPT!r} with reason, signed_by and signed_on",
                "complete the entry in quarantine.json and run the audit again",
            )
        return replace(self, **given)  # type: ignore[arg-type] # the decision is one of the words above

    @classmethod
    def of(cls, case: tuple[str, str], reference: tuple[str, str], rules: str, scores: tuple[float, float]) -> Self:
        """Return an undecided pair.

        Args:
            case: Id and digest of the synthetic case.
            reference: The same of the training subject's case.
            rules: Hash of the registered rules.
            scores: Nearness, and agreement after alignment.
        """
        text = json.dumps([case, reference, rules])
        return cls(case[0], reference[0], *scores, hashlib.blake2b(text.encode(), digest_size=16).hexdigest())


def decided(pairs: Sequence[Pair], written: Sequence[Mapping[str, Any]]) -> tuple[Pair, ...]:
    """Return pairs with the decisions that a person wrote for these very pairs; others' decisions count for nothing.

    Args:
        pairs: Pairs of this audit.
        written: Entries of `quarantine.json`.

    Raises:
        InputFileError: An entry is incomplete.
    """
    known = {entry.get("key"): entry for entry in written}
    return tuple(pair.with_decision(known.get(pair.key, {})) for pair in pairs)
