"""What was registered before an audit looked, and every attempt that was made on a generator.

The book is a list of attempts in the user's state folder.  A generator may be
audited twice: once, and once more on fresh seeds, with the error split between
both.  Each part of a release counts its own attempts, at its share of the error.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self, final

from glioforge.core import CohortError, InputFileError
from glioforge.privacy.rules import SPLIT, AuditSpec

NAME: Final = "audits.json"
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
