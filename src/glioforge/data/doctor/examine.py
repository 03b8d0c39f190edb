"""Look at a whole folder of scans: case by case, and the cases next to each other.

Nothing stops at the first problem, and nothing is changed.  What `ingest`
would refuse is an error; what is probably a mistake is a warning.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

from glioforge.compute import ParallelSpec, fan_out
from glioforge.config import Spec
from glioforge.core import (
    GlioforgeError,
    InputFileError,
    LabelSource,
    Modality,
    Progress,
    in_standard_order,
    parse_condition,
    require_some,
)
from glioforge.data.doctor.contrasts import twins
from glioforge.data.doctor.look import CaseLook, look_at
from glioforge.data.doctor.opened import SEVERITIES, Finding, finding_of, in_order
from glioforge.io import (
    FoundCase,
    FoundFolder,
    PassedOver,
    Problem,
    detect_scheme,
    evidence_of,
    find_cases,
    found_facts,
    id_problems,
    missing_files,
    require_known_values,
    same_images,
    select_found,
    stated_scheme,
)


@final
@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What was found in a folder.

    Args:
        folder: The folder.
        layout: Kind of the layout; empty where none fits.
        scheme: Label scheme; empty where there are no labels or nobody can tell.
        reason: Why this scheme was taken; empty where there is none.
        cases: What was seen of each case.
        findings: Everything found, the worst first.
        passed: Every file and folder that is passed over, with the reason.
    """

    folder: Path
    layout: str
    scheme: str
    cases: tuple[CaseLook, ...]
    findings: tuple[Finding, ...]
    passed: tuple[PassedOver, ...] = ()
    reason: str = ""

    def count(self, severity: str) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts that any case has."""
        return in_standard_order({m for look in self.cases for m in look.checked.found.images})

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, without pictures."""
        return {
            "folder": str(self.folder),
            "layout": self.layout,
            "scheme": self.scheme,
            "scheme_reason": self.reason,
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            "cases": [_case_json(look) for look in self.cases],
            "findings": [finding.to_json() for finding in self.findings],
            "passed_over": [{"path": str(entry.path), "reason": entry.kind} for entry in self.passed],
        }


def examine(  # noqa: PLR0913 - how a folder is looked at, by keyword
    folder: Path,
    layout: Spec | None = None,
    *,
    scheme: str | None = None,
    spacing_mm: float | None = None,
    where: Sequence[str] = (),
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Look at every file of a folder and say all that is wrong or remarkable.

    Args:
        folder: Folder of scans; it is only read.
        layout: How the folder is laid out; detected unless given.
        scheme: Name of the label scheme; decided by names and values unless given here or by the layout.
        spacing_mm: Voxel size planned for preparation, for the account of small lesions.
        where: Conditions on the cases to look at (see `core.selection`), on facts that names of folders and tables
            give; all cases unless given.
        parallel: How the work over cases is spread; one process unless given.
        progress: Where to show progress; nowhere unless given.

    Raises:
        InputFileError: There is no such folder.
        CohortError: No case fulfils the conditions, or they name a fact that is known only after reading.
        LabelError: There is no scheme of this name.
        SpecError: The layout states another scheme.
    """
    if not folder.resolve().is_dir():
        raise InputFileError("no folder", "a folder of scans", "check the path", folder)
    try:
        place = find_cases(folder, layout)
    except GlioforgeError as error:
        return Diagnosis(folder, "", "", (), (finding_of(error, "", "layout"),))
    root = place.bounds
    found, left = select_found(place.cases, where, place.root.name)
    if left:
        require_some({case.case_id: found_facts(case) for case in found}, [parse_condition(left[0])], place.root.name)
    stated = stated_scheme(layout, scheme)
    look = partial(look_at, root=root, scheme=stated, spacing_mm=spacing_mm)
    cases = tuple(fan_out(look, found, parallel, title="looking at scans", progress=progress))
    source, about_labels = _labels(cases, place.root, stated)
    findings = [finding for case in cases for finding in case.findings]
    findings += [*about_labels, *_beside_each_other(found, cases, place.root), *_passed_over(place)]
    return Diagnosis(folder, place.layout, source.scheme, cases, in_order(findings), place.passed, source.reason)


def _beside_each_other(found: Sequence[FoundCase], cases: Sequence[CaseLook], root: Path) -> list[Finding]:
    """What only shows when cases are compared."""
    checked = [case.checked for case in cases]
    findings = []
    told: tuple[tuple[str, list[Problem]], ...] = (
        ("case id", id_problems(found)),
        ("file missing", missing_files(found, None)),
        ("same image twice", same_images(checked, root)),
    )
    for topic, problems in told:
        findings += [finding_of(error, case_id, topic) for case_id, error in problems]
    copied = {finding.case_id for finding in findings if finding.topic == "same image twice"}
    pictures = [(look.case_id, look.checked.found.subject_id, look.coarse) for look in cases]
    findings += [finding for finding in twins(pictures) if finding.case_id not in copied]
    return [*findings, *_visits(found), *_odd_ones(cases)]


def _labels(cases: Sequence[CaseLook], root: Path, stated: str | None) -> tuple[LabelSource, list[Finding]]:
    """The label scheme with its reason, and what contradicts it."""
    evidence = evidence_of((case.checked for case in cases), root)
    if not evidence:
        return LabelSource("", ""), []
    try:
        source = detect_scheme(evidence, stated)
    except GlioforgeError as error:
        error.where = str(root)
        return LabelSource("", ""), [finding_of(error, "", "label scheme")]
    return source, [
        finding_of(error, case_id, "unknown label") for case_id, error in require_known_values(evidence, source)
    ]


def _visits(found: Sequence[FoundCase]) -> list[Finding]:
    """Subjects with several cases."""
    visits: defaultdict[str, list[str]] = defaultdict(list)
    for case in found:
        visits[case.subject_id].append(case.case_id)
    remedy = "nothing: splits are by subject and keep them together"
    return [
        Finding("remark", "several visits", ids[0], "", f"{len(ids)} cases of {subject}: {', '.join(ids[:6])}", remedy)
        for subject, ids in visits.items()
        if len(ids) > 1
    ]


def _odd_ones(cases: Sequence[CaseLook]) -> list[Finding]:
    """Cases whose orientation or voxel size is not that of most."""
    traits: Mapping[str, tuple[Callable[[CaseLook], str], str]] = {
        "another orientation": (lambda c: c.orientation, "look whether left and right are right: most scans agree"),
        "another voxel size": (
            lambda c: " x ".join(f"{length:.2g}" for length in c.spacing or ()),
            "nothing if grid.spacing_mm is set in preparation; else set it",
        ),
    }
    findings = []
    for topic, (trait, remedy) in traits.items():
        common = Counter(trait(case) for case in cases if case.shape)
        if len(common) < 2:
            continue
        usual, times = common.most_common(1)[0]
        for case in cases:
            if case.shape and trait(case) != usual:
                what = f"{trait(case)}, where {times} of {sum(common.values())} cases have {usual}"
                findings.append(Finding("remark", topic, case.case_id, "", what, remedy))
    return findings


def _passed_over(place: FoundFolder) -> list[Finding]:
    """What belongs to no case, by reason; that there are no labels at all."""
    remedy = "nothing, if it is not needed"
    return [Finding("remark", "files passed over", "", "", line, remedy) for line in place.lines()]


def _case_json(look: CaseLook) -> dict[str, Any]:
    """Plain values of one case."""
    found, counts = look.checked.found, look.checked.label_counts
    return {
        "case_id": found.case_id,
        "subject_id": found.subject_id,
        "session": found.session,
        "contrasts": [str(modality) for modality in found.images],
        "shape": look.shape and list(look.shape),
        "spacing_mm": look.spacing and [round(length, 5) for length in look.spacing],
        "orientation": look.orientation,
        "brain_ml": round(look.brain_ml, 1),
        "label_voxels": {} if counts is None else {str(value): number for value, number in counts.items()},
        "facts": dict(found.facts),
    }
