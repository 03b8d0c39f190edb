"""A cohort: cases that share a label scheme; `core.split` divides it by subject.

Real, phantom and synthetic cohorts are the same type; what reads one reads all.
Its `LabelSource` keeps the scheme of the label files that it comes from, and how that is known.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

from glioforge.core.case import CaseRef
from glioforge.core.errors import CohortError
from glioforge.core.labels import LabelScheme
from glioforge.core.lineage import Lineage
from glioforge.core.names import composed, listed
from glioforge.core.schemes import scheme_named
from glioforge.core.volume import Modality, in_standard_order


@final
@dataclass(frozen=True)
class LabelSource:
    """Scheme of the label files that a cohort comes from.

    A prepared or synthetic cohort keeps it, so that what is written for people
    has the label values of their own files.

    Args:
        scheme: Name of the scheme.
        reason: Why this scheme was taken, for people.

    Example:
        >>> print(LabelSource("brats2017", "stated"))
        brats2017 (stated)
    """

    scheme: str
    reason: str

    def __str__(self) -> str:
        """Return scheme and reason."""
        return f"{self.scheme} ({self.reason})" if self.reason else self.scheme

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"scheme": self.scheme, "reason": self.reason}


@final
@dataclass(frozen=True)
class Cohort:
    """Cases in a fixed order, in one label scheme.

    Args:
        name: Short name for tables and file names.
        cases: References in the order of the cohort; may be empty.
        scheme: Meaning of the label maps of all cases.
        source: Scheme of the label files that the cohort comes from and how it is known; not part of its identity.
        folder: Folder that holds its `cohort.json`, if any, also for a part of the cohort; not part of its identity.

    Raises:
        CohortError: Two cases share an id, or a case is in another scheme.
    """

    name: str
    cases: tuple[CaseRef, ...]
    scheme: LabelScheme
    source: LabelSource | None = field(default=None, compare=False)
    folder: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        ids = [composed(ref.case_id) for ref in self.cases]
        doubled = sorted({i for i in ids if ids.count(i) > 1}) if len(set(ids)) < len(ids) else []
        if doubled:
            raise CohortError(f"case ids used twice: {listed(doubled)}", "unique ids", "rename or drop one", self.where)
        strange = sorted({ref.scheme for ref in self.cases} - {self.scheme.name})
        if strange:
            raise CohortError(
                f"cases in schemes {', '.join(strange)}",
                f"scheme {self.scheme.name}",
                "prepare both cohorts alike",
                self.where,
            )

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[CaseRef]:
        return iter(self.cases)

    def __getitem__(self, case_id: str) -> CaseRef:
        """Return the case of this id, in whatever Unicode form it is written.

        Raises:
            CohortError: There is none.
        """
        for ref in self.cases:
            if composed(ref.case_id) == composed(case_id):
                return ref
        known = listed([ref.case_id for ref in self.cases]) or "none, for the cohort is empty"
        raise CohortError(f"no case {case_id!r}", f"one of {known}", where=self.where)

    @property
    def where(self) -> str:
        """What messages call the cohort: its folder as it was given, else its name."""
        return self.name if self.folder is None else str(self.folder)

    @property
    def subject_ids(self) -> tuple[str, ...]:
        """The cases' own subjects, each once, in order of appearance."""
        return tuple(dict.fromkeys(ref.subject_id for ref in self.cases))

    @property
    def first_cases(self) -> "tuple[CaseRef, ...]":
        """The first case of each subject, in order of appearance."""
        found: dict[str, CaseRef] = {}
        for ref in self.cases:
            found.setdefault(ref.subject_id, ref)
        return tuple(found.values())

    @property
    def subjects_behind(self) -> frozenset[str]:
        """Every subject with a part in any case: own, parents', generators'."""
        behind = {s for ref in self.cases for s in ref.lineage.subjects}
        return frozenset(behind | set(self.subject_ids))

    @property
    def lineage(self) -> Lineage:
        """Everyone with a part in any case, as one lineage; the cases' own subjects first of all."""
        own = Lineage("real", self.name, self.subject_ids)
        return Lineage.union(self.name, (own, *(ref.lineage for ref in self.cases)))

    @property
    def subjects_guarded(self) -> frozenset[str]:
        """Every subject that no training input may come from when these cases are evaluated.

        Their own, and those behind synthetic cases.  A scan shows its own
        subject alone: who stands behind its labels of normal tissue is not guarded.
        """
        behind = {s for ref in self.cases if ref.lineage.is_synthetic for s in ref.lineage.subjects}
        return frozenset(behind | set(self.subject_ids))

    @property
    def file_scheme(self) -> LabelScheme:
        """Scheme of the label files that the cohort comes from; its own where that is not known."""
        return self.scheme if self.source is None else scheme_named(self.source.scheme)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts that every case has, in standard order; none for an empty cohort."""
        if not self.cases:
            return ()
        return in_standard_order(set.intersection(*(set(ref.images) for ref in self.cases)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of ids, subjects, lineage and file contents of all cases, in order."""
        rows = [[r.case_id, r.subject_id, r.scheme, r.digest, r.lineage.to_json()] for r in self.cases]
        text = json.dumps([self.scheme.to_json(), rows], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def select(self, case_ids: Iterable[str], name: str | None = None) -> "Cohort":
        """The cases of these ids, in the order of this cohort.

        Raises:
            CohortError: An id is unknown.
        """
        wanted = list(case_ids)
        for case_id in wanted:
            self[case_id]
        keep = set(map(composed, wanted))
        return replace(self, name=name or self.name, cases=tuple(r for r in self.cases if composed(r.case_id) in keep))

    def of_subjects(self, subject_ids: Iterable[str], name: str | None = None) -> "Cohort":
        """All cases of these subjects; subjects that are not here are passed over."""
        keep = set(subject_ids)
        return replace(self, name=name or self.name, cases=tuple(r for r in self.cases if r.subject_id in keep))

    def __add__(self, other: "Cohort") -> "Cohort":
        """Join two cohorts of one scheme; a subject id that both hold means one person.

        The scheme of the label files is kept where both come from files of one scheme.

        Raises:
            CohortError: The schemes differ, or a case id is in both.
        """
        same = self.source is not None and other.source is not None and self.source.scheme == other.source.scheme
        source = self.source if same else None
        return Cohort(f"{self.name}+{other.name}", self.cases + other.cases, self.scheme, source)
