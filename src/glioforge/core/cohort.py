"""A cohort: cases that share a label scheme, split by subject and never by slice.

Real, phantom and synthetic cohorts are the same type; what reads one reads all.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from glioforge.core.case import CaseRef
from glioforge.core.errors import CohortError
from glioforge.core.labels import LabelScheme
from glioforge.core.modality import Modality, in_standard_order
from glioforge.core.rng import stream

Stratum = Callable[[CaseRef], str]


@final
@dataclass(frozen=True)
class Cohort:
    """Cases in a fixed order, in one label scheme.

    Args:
        name: Short name for tables and file names.
        cases: References in the order of the cohort; may be empty.
        scheme: Meaning of the label maps of all cases.

    Raises:
        CohortError: Two cases share an id, or a case is in another scheme.
    """

    name: str
    cases: tuple[CaseRef, ...]
    scheme: LabelScheme

    def __post_init__(self) -> None:
        ids = [ref.case_id for ref in self.cases]
        doubled = sorted({i for i in ids if ids.count(i) > 1}) if len(set(ids)) < len(ids) else []
        if doubled:
            raise CohortError(f"case ids used twice: {doubled}", "unique ids", "rename or drop one", self.name)
        strange = sorted({ref.scheme for ref in self.cases} - {self.scheme.name})
        if strange:
            raise CohortError(
                f"cases in schemes {strange}", f"scheme {self.scheme.name!r}", "prepare both cohorts alike", self.name
            )

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[CaseRef]:
        return iter(self.cases)

    def __getitem__(self, case_id: str) -> CaseRef:
        """Return the case of this id.

        Raises:
            CohortError: There is none.
        """
        for ref in self.cases:
            if ref.case_id == case_id:
                return ref
        raise CohortError(f"case {case_id!r}", f"one of {[ref.case_id for ref in self.cases][:20]}", where=self.name)

    @property
    def subject_ids(self) -> tuple[str, ...]:
        """The cases' own subjects, each once, in order of appearance."""
        return tuple(dict.fromkeys(ref.subject_id for ref in self.cases))

    @property
    def subjects_behind(self) -> frozenset[str]:
        """Every subject with a part in any case: own, parents', generators'."""
        behind = {s for ref in self.cases for s in ref.lineage.subjects}
        return frozenset(behind | set(self.subject_ids))

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
        keep = set(wanted)
        return replace(self, name=name or self.name, cases=tuple(r for r in self.cases if r.case_id in keep))

    def of_subjects(self, subject_ids: Iterable[str], name: str | None = None) -> "Cohort":
        """All cases of these subjects; subjects that are not here are passed over."""
        keep = set(subject_ids)
        return replace(self, name=name or self.name, cases=tuple(r for r in self.cases if r.subject_id in keep))

    def nested(self, fractions: Iterable[float], seed: int) -> tuple["Cohort", ...]:
        """Random subsets by subject, each containing every smaller one (S2-17).

        Raises:
            CohortError: A fraction is not in (0, 1].
        """
        subjects = list(self.subject_ids)
        order = stream(seed, "nested", self.name).permutation(len(subjects))
        subsets = []
        for fraction in fractions:
            if not 0 < fraction <= 1:
                raise CohortError(f"fraction {fraction}", "a number in (0, 1]", where=self.name)
            count = max(1, round(fraction * len(subjects)))
            chosen = (subjects[int(n)] for n in order[:count])
            subsets.append(self.of_subjects(chosen, f"{self.name}-{fraction:g}"))
        return tuple(subsets)

    def __add__(self, other: "Cohort") -> "Cohort":
        """Mix two cohorts of one scheme; ids must not clash."""
        return Cohort(f"{self.name}+{other.name}", self.cases + other.cases, self.scheme)


@final
@dataclass(frozen=True)
class Split:
    """Three cohorts that share no subject."""

    train: Cohort
    validation: Cohort
    test: Cohort


def size_stratum(ref: CaseRef) -> str:
    """Stratum by grade, site and whether the tumour is larger than 40 ml, as far as known."""
    volume = ref.facts.get("tumour_ml")
    size = "" if volume is None else ("large" if float(volume) > 40 else "small")
    return "/".join([str(ref.facts.get("grade", "")), str(ref.facts.get("site", "")), size])


def split_by_subject(
    cohort: Cohort, *, test: float, validation: float, seed: int, stratum: Stratum = size_stratum
) -> Split:
    """Split so that no subject lies on two sides and strata are spread evenly (S1-04, F1).

    Subjects are shuffled within strata, dealt out in one sequence, and each
    side takes evenly spaced places of it.

    Args:
        cohort: At least three subjects.
        test: Share of subjects for testing, in (0, 1); at least one subject.
        validation: Share for model selection, in (0, 1); at least one subject.
        seed: Seed of the shuffle.
        stratum: Names a case's stratum; a subject's first case counts.

    Raises:
        CohortError: Shares are impossible or there are fewer than three subjects.
    """
    subjects = list(cohort.subject_ids)
    count = len(subjects)
    if not (0 < test < 1 and 0 < validation < 1 and test + validation < 1):
        raise CohortError(f"shares test {test}, validation {validation}", "positive numbers whose sum is below 1")
    if count < 3:
        raise CohortError(
            f"{count} subjects", "at least three, one for each of train, validation and test",
            "add subjects", cohort.name,
        )
    n_test = min(max(1, round(test * count)), count - 2)
    n_validation = min(max(1, round(validation * count)), count - n_test - 1)
    order = _dealt_by_stratum(cohort, stratum, seed)
    test_ids = {order[int(p)] for p in _evenly(count, n_test)}
    rest = [s for s in order if s not in test_ids]
    validation_ids = {rest[int(p)] for p in _evenly(len(rest), n_validation)}
    train_ids = set(rest) - validation_ids
    return Split(
        cohort.of_subjects(train_ids, f"{cohort.name}-train"),
        cohort.of_subjects(validation_ids, f"{cohort.name}-validation"),
        cohort.of_subjects(test_ids, f"{cohort.name}-test"),
    )


def split_by_names(cohort: Cohort, sides: Mapping[str, Iterable[str]]) -> Split:
    """Split by subjects named for `train`, `validation` and `test`.

    Raises:
        CohortError: A subject is unknown or named for two sides.
    """
    names = {side: list(sides.get(side, ())) for side in ("train", "validation", "test")}
    every = [s for chosen in names.values() for s in chosen]
    doubled = sorted({s for s in every if every.count(s) > 1})
    unknown = sorted(set(every) - set(cohort.subject_ids))
    if doubled or unknown:
        raise CohortError(
            f"subjects on two sides {doubled}, unknown {unknown}", "each known subject on one side", where=cohort.name
        )
    parts = {side: cohort.of_subjects(chosen, f"{cohort.name}-{side}") for side, chosen in names.items()}
    return Split(parts["train"], parts["validation"], parts["test"])


def _dealt_by_stratum(cohort: Cohort, stratum: Stratum, seed: int) -> list[str]:
    """Subjects, shuffled within each stratum, stratum after stratum."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for ref in cohort:
        if ref.subject_id not in seen:
            seen.add(ref.subject_id)
            groups[stratum(ref)].append(ref.subject_id)
    dealt: list[str] = []
    for name in sorted(groups):
        members = sorted(groups[name])
        dealt += [members[int(n)] for n in stream(seed, "split", name).permutation(len(members))]
    return dealt


def _evenly(count: int, chosen: int) -> np.ndarray:
    """Evenly spaced places, `chosen` out of `count`."""
    return np.floor((np.arange(chosen) + 0.5) * count / chosen).astype(int)
