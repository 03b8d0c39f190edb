"""What every format of an export does: refuse cases that it cannot hold, name them, write one, write what is about all.

A format is a file of `release/formats` with a value `FORMAT`.

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

import importlib
import re
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from glioforge.core import Case, CaseRef, CohortError, LabelScheme, Modality, listed, name_key

_PACKAGE = "glioforge.release.formats"


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
@dataclass(frozen=True, eq=False)
class Leaving:
    """A case as it is written: on its grid, with its labels in the export's scheme, under its new name.

    Args:
        case: Images, labels, brain mask; its id is that of the export.
        name: Its name.
        description: Free text of its NIfTI headers.
        sidecar: What a computed case says of itself; none for a scan.
    """

    case: Case
    name: CaseName
    description: str
    sidecar: Mapping[str, Any] | None


@final
@dataclass(frozen=True)
class Target:
    """Where cases are written, and what all of them share.

    Args:
        folder: The data set's folder.
        modalities: Contrasts that some case has, in standard order.
        scheme: Scheme of the label files; none where no case has labels.
    """

    folder: Path
    modalities: tuple[Modality, ...]
    scheme: LabelScheme | None


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


@final
@dataclass(frozen=True)
class DataSet:
    """What is known of a whole export.

    Args:
        refs: Its cases, in order.
        names: Their names.
        record: What the export says of itself (see `release.record`).
        source: Name of the scheme of the source's label files; none where no case has labels.
        values: Values of the label files, each with the value of the same label in the source's scheme.
    """

    refs: Sequence[CaseRef]
    names: Names
    record: Mapping[str, Any]
    source: str | None
    values: Mapping[int, int]


class Format(ABC):
    """One format of an export."""

    consecutive: bool = False
    """Whether label values must be 0, 1, 2, ... without a gap."""

    def place(self, out: Path) -> Path:
        """Folder of the data set within the folder that the user named."""
        return out

    def named(self, names: Names) -> Names:
        """Return the names as the format writes them."""
        return names

    @abstractmethod
    def require(self, refs: Sequence[CaseRef]) -> None:
        """Refuse cases that the format cannot hold.

        Args:
            refs: Cases with the contrasts that would be written.

        Raises:
            CohortError: Names the cases, and what to do.
        """

    @abstractmethod
    def write_case(self, leaving: Leaving, target: Target) -> list[Path]:
        """Write one case and return its files; errors as `io.nifti.write_image`."""

    @abstractmethod
    def write_dataset(self, data: DataSet, target: Target) -> None:
        """Write the files that are about all cases, after these."""


def format_named(name: str) -> Format:
    """Return the format of a name, from the file that is called so."""
    found: Format = importlib.import_module(f"{_PACKAGE}.{name}").FORMAT
    return found


def refuse(refs: Sequence[CaseRef], found: str, expected: str, remedy: str) -> None:
    """Raise an error that names some cases; nothing where there is none.

    Raises:
        CohortError: There is at least one case.
    """
    if refs:
        raise CohortError(f"{found}: {listed([ref.case_id for ref in refs])}", expected, remedy)


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
