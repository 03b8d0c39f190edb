"""Names of exported cases: new numbers, with a key that stays with the owner, or the cases' own ids.

Ids usually come from the names of files and folders, which may hold a patient's
name, so an export gives its subjects new numbers.  Subjects are numbered in the order
of the cases, and every synthetic case gets a name of its own.  People behind a
synthetic case who are not in the export are numbered as well, so that its lineage
still says how many there are and which of them are the export's own subjects.

    sub-001, sub-002            subjects of scans and phantoms
    sub-003_ses-1, sub-003_ses-2   several sessions of one subject
    sub-syn001                  synthetic cases, edited label maps among them
    source-001                  subjects behind synthetic cases, of whom no case is exported
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from glioforge.core import CaseRef, CohortError, name_key


@final
@dataclass(frozen=True)
class CaseName:
    """Name of an exported case.

    Args:
        case_id: Name of its files.
        subject: Its subject.
        session: Its visit, if it has one.
    """

    case_id: str
    subject: str
    session: str | None = None

    @property
    def entities(self) -> "CaseName":
        """The same name in the letters and digits that BIDS allows: `sub-<subject>` and perhaps `_ses-<session>`.

        Example:
            >>> CaseName("a_1", "a_1", "week-2").entities
            CaseName(case_id='sub-a1_ses-week2', subject='sub-a1', session='ses-week2')
        """
        subject = f"sub-{_letters(self.subject.removeprefix('sub-'))}"
        if not self.session:
            return CaseName(subject, subject)
        session = f"ses-{_letters(self.session.removeprefix('ses-'))}"
        return CaseName(f"{subject}_{session}", subject, session)


@final
@dataclass(frozen=True)
class Names:
    """Names of all exported cases, and of everybody behind them.

    Args:
        cases: Name of each case by its id.
        subjects: Name of each subject, exported or behind a synthetic case, by its id.
        renumbered: Whether these are new numbers.
    """

    cases: Mapping[str, CaseName]
    subjects: Mapping[str, str]
    renumbered: bool

    def key(self) -> dict[str, Any]:
        """Return what leads back from the new names to the ids, as plain JSON values."""
        return {
            "cases": {name.case_id: case_id for case_id, name in self.cases.items()},
            "subjects": {name: subject for subject, name in self.subjects.items()},
        }


def numbered(refs: Sequence[CaseRef]) -> Names:
    """Give new names to cases and subjects, in the order of the cases; no cases give no names."""
    scans = [ref for ref in refs if not ref.lineage.is_synthetic]
    synthetic = [ref for ref in refs if ref.lineage.is_synthetic]
    own = dict.fromkeys(ref.subject_id for ref in scans)
    subjects = _numbers(list(own), "sub-")
    visits = Counter(ref.subject_id for ref in scans)
    cases: dict[str, CaseName] = {}
    seen: defaultdict[str, int] = defaultdict(int)
    for ref in scans:
        subject = subjects[ref.subject_id]
        seen[subject] += 1
        session = f"ses-{seen[subject]}" if visits[ref.subject_id] > 1 else None
        cases[ref.case_id] = CaseName("_".join(filter(None, (subject, session))), subject, session)
    for case_id, name in _numbers([ref.case_id for ref in synthetic], "sub-syn").items():
        cases[case_id] = CaseName(name, name)
    behind = sorted({s for ref in refs for s in ref.lineage.subjects} - set(own))
    return Names(cases, {**subjects, **_numbers(behind, "source-")}, renumbered=True)


def kept(refs: Sequence[CaseRef]) -> Names:
    """Keep the ids of cases and subjects; a synthetic case is a subject of its own."""
    cases = {
        ref.case_id: CaseName(ref.case_id, ref.case_id)
        if ref.lineage.is_synthetic
        else CaseName(ref.case_id, ref.subject_id, ref.session)
        for ref in refs
    }
    everybody = sorted({s for ref in refs for s in (ref.subject_id, *ref.lineage.subjects)})
    return Names(cases, dict(zip(everybody, everybody, strict=True)), renumbered=False)


def with_entities(names: Names) -> Names:
    """Return the names as BIDS writes them.

    Raises:
        CohortError: Two cases would get one name.
    """
    cases = {case_id: name.entities for case_id, name in names.cases.items()}
    count = Counter(name_key(name.case_id) for name in cases.values())
    doubled = [case_id for case_id, name in cases.items() if count[name_key(name.case_id)] > 1]
    if doubled:
        raise CohortError(
            f"cases that get one name in BIDS: {', '.join(doubled[:5])}",
            "subjects and sessions that differ in letters or digits",
            "leave out --keep-ids (keep_ids), so that they are numbered",
        )
    return Names(cases, names.subjects, names.renumbered)


def _numbers(ids: Sequence[str], prefix: str) -> dict[str, str]:
    """A number for each id, in order."""
    width = max(3, len(str(len(ids))))
    return {own: f"{prefix}{number:0{width}d}" for number, own in enumerate(ids, start=1)}


def _letters(text: str) -> str:
    """Letters and digits of a text."""
    return re.sub(r"[^A-Za-z0-9]", "", text) or "x"
