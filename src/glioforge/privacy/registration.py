"""What was registered before an audit looked, every attempt, and decisions on near copies in quarantine.

The book is a list of attempts in the user's state folder.  A generator may be
audited twice: once, and once more on fresh seeds, with the error split between
both.  Each part of a release counts its own attempts, at its share of the error.

Each near copy in quarantine is decided by a person, who signs.  `quarantine.json`
names every pair with its pictures.  The person writes a decision, a reason, a name
and a date to each, and runs the audit again.  The signature ties a decision to the
very files of both cases and to the registered rules, so that it does not hold for
others.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self, final

from glioforge.core import CohortError, InputFileError
from glioforge.privacy.rules import SPLIT, AuditSpec

AUDIT_BOOK: Final = "audits.json"
"""Name of the book in the state folder."""


@final
@dataclass(frozen=True)
class Attempt:
    """One audit of a generator.

    Args:
        generator: Hash of the generator: its weights, or its method and training subjects.
        rules: Hash of the rules and of all that is audited.
        cases: Digests of the synthetic cases.
        recipient: Who receives the release.
        part: Part of the release, and how many there are.
        number: 1, or 2 for the re-audit.
        registered: When the rules were fixed, ISO 8601 in UTC.
        verdict: PASS, FAIL or INCONCLUSIVE; empty before.
    """

    generator: str
    rules: str
    cases: tuple[str, ...]
    recipient: str
    part: tuple[int, int]
    number: int
    registered: str
    verdict: str = ""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return an attempt from what `asdict` gave."""
        return cls(**{**values, "cases": tuple(values["cases"]), "part": tuple(values["part"])})


def next_attempt(known: Sequence[Attempt], mine: Attempt, spec: AuditSpec) -> Attempt:
    """Return the attempt with its number: that of its registration where these very rules were registered before.

    Args:
        known: All attempts in the book.
        mine: The attempt to make; its number is not read.
        spec: Settings.

    Raises:
        CohortError: The generator was audited as often as its error allows, the re-audit shares cases with the first
            audit, or the release was declared in another number of parts.
    """
    for other in known:
        if other.rules == mine.rules:
            return other
    same = [other for other in known if other.generator == mine.generator and other.recipient == mine.recipient]
    counts = {other.part[1] for other in same} - {spec.parts}
    if counts:
        raise CohortError(
            f"a release in {spec.parts} parts, registered in {min(counts)} before",
            "the number of parts that was declared beforehand",
            "set parts as it was registered: parts of a release share one error",
        )
    earlier = [other for other in same if other.part == mine.part]
    if len(earlier) >= len(SPLIT):
        raise CohortError(
            f"{len(earlier)} audits of this generator before",
            f"at most {len(SPLIT)}: the error of a release is spent",
            "train another generator on what the audits showed, and audit that",
        )
    shared = {case for other in earlier for case in other.cases} & set(mine.cases)
    if shared:
        raise CohortError(
            f"{len(shared)} synthetic cases that an earlier audit has seen",
            "cases of fresh seeds, made and filtered as those to be released",
            "synthesize with another --seed, filter as before, and audit these",
        )
    return replace(mine, number=len(earlier) + 1)


def read_book(path: Path) -> tuple[Attempt, ...]:
    """Return all attempts; none where there is no book.

    Raises:
        InputFileError: The book is damaged.
    """
    if not path.exists():
        return ()
    try:
        return tuple(Attempt.from_json(one) for one in json.loads(path.read_text(encoding="utf-8"))["attempts"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputFileError(
            f"a damaged book of audits ({error})", "the list that Glioforge wrote", "restore it from a backup", path
        ) from error


def book_with(known: Sequence[Attempt], mine: Attempt) -> dict[str, Any]:
    """Return the contents of the book with an attempt added, or brought up to date."""
    others = [other for other in known if other.rules != mine.rules]
    return {"version": 1, "attempts": [asdict(one) for one in (*others, mine)]}


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
