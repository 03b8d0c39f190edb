"""What an export says about itself: lineage without ids, the notice on synthetic cases, and counts.

Nothing is copied from a case's metadata.  Facts, sessions, sources and the drawn
values of edits may hold anything that the input's files said, so what goes out is
built from new names, kinds that Glioforge knows, numbers that it counted.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from glioforge.core import CaseRef, LabelScheme, Lineage
from glioforge.lesions import EDITS, METHOD
from glioforge.release.base import CaseName, Names
from glioforge.synthesis import SYNTHESIZERS

NOTICE = "NOT AUDITED: internal use"
"""What every synthetic case carries: nobody has tested how much it reveals of the subjects behind it."""
_MEANING = (
    "Synthetic cases: nobody has audited how much they reveal of the subjects that they were made from. "
    "Keep them where the subjects' own scans may be kept."
)


def public_lineage(ref: CaseRef, names: Names) -> Lineage:
    """Return the lineage of a case with the names of the export in place of ids.

    Weights keep their hash, edits their kind; parents that are not exported, seeds and drawn values are left out.
    """
    own = ref.lineage
    known = {*SYNTHESIZERS.kinds(), METHOD, "glioforge phantom"}
    edits = [str(edit.get("kind")) for edit in own.edits]
    return Lineage(
        own.kind,
        own.source if own.source in known else "not recorded",
        tuple(sorted(names.subjects[subject] for subject in own.subjects)),
        tuple(sorted(names.cases[parent].case_id for parent in own.parents if parent in names.cases)),
        None,
        own.weights if re.fullmatch(r"[0-9a-f]{8,128}", own.weights or "") else None,
        tuple({"kind": kind} for kind in edits if kind in EDITS.kinds()),
    )


def sidecar_of(ref: CaseRef, name: CaseName, names: Names, scheme: LabelScheme | None) -> dict[str, Any] | None:
    """Return what a computed case carries next to its images, readable by `io.sidecar`; none for a scan.

    Args:
        ref: The case.
        name: Its name in the export.
        names: Names of all.
        scheme: Scheme of its label file, if it has one.
    """
    if ref.lineage.kind == "real":
        return None
    lineage = public_lineage(ref, names)
    values = {
        "kind": lineage.kind,
        "lineage": lineage.to_json(),
        "subject_id": name.subject,
        "session": name.session,
        "scheme": None if scheme is None else scheme.name,
        "facts": {},
    }
    return {"notice": NOTICE, **values} if lineage.is_synthetic else values


def description_of(ref: CaseRef) -> str:
    """Return the free text of a NIfTI header: what kind of case it is; empty for a scan."""
    if ref.lineage.kind == "real":
        return ""
    if not ref.lineage.is_synthetic:
        return "PHANTOM glioforge"
    weights = ref.lineage.weights or ""
    named = f" {weights[:8]}" if re.fullmatch(r"[0-9a-f]{8,128}", weights) else ""
    return f"SYNTHETIC{named}; {NOTICE}"


def dataset_record(
    refs: Sequence[CaseRef], names: Names, scheme: LabelScheme | None, grids: Mapping[str, str]
) -> dict[str, Any]:
    """Return what an export says of itself as a whole, plain JSON values.

    Args:
        refs: Its cases, at least one.
        names: Their names.
        scheme: Scheme of the label files, if there are any.
        grids: Grid of each case by id: `scan`, `prepared` or `own`.
    """
    kinds = Counter(ref.lineage.kind for ref in refs)
    subjects = {ref.subject_id for ref in refs if not ref.lineage.is_synthetic}
    behind = {subject for ref in refs if ref.lineage.is_synthetic for subject in ref.lineage.subjects}
    cases = {
        names.cases[ref.case_id].case_id: {
            "kind": ref.lineage.kind,
            "contrasts": [str(modality) for modality in ref.modalities],
            "grid": grids[ref.case_id],
            "labels": scheme is not None and ref.labels is not None,
            "subjects_behind": len(ref.lineage.subjects),
        }
        for ref in refs
    }
    notice = {"notice": NOTICE, "meaning": _MEANING} if kinds["synthetic"] else {}
    return {
        **notice,
        "written_by": f"Glioforge {version('glioforge')}",
        "ids": "new numbers" if names.renumbered else "as in the cohort",
        "count": {"cases": len(refs), "subjects": len(subjects), **{kind: kinds[kind] for kind in sorted(kinds)}},
        "subjects_behind_synthetic_cases": len(behind),
        "labels": None if scheme is None else {"scheme": scheme.name, "values": dict(scheme.labels)},
        "cases": cases,
    }


def readme(record: Mapping[str, Any], layout: str) -> str:
    """Return the text of an export's README.

    Args:
        record: As `dataset_record` gives it.
        layout: One sentence on how the files are laid out.
    """
    counted = ", ".join(
        f"{record['count'][kind]} {kind}" for kind in ("real", "phantom", "synthetic") if kind in record["count"]
    )
    lines = [f"{record['count']['cases']} cases ({counted}), written by {record['written_by']}.", layout]
    if "notice" in record:
        lines = [f"{record['notice']}", "", record["meaning"], "", *lines]
    if record["labels"]:
        lines += ["", f"Label values ({record['labels']['scheme']}):", ""]
        lines += [f"- {value}: {name}" for name, value in record["labels"]["values"].items()]
    return "\n".join([*lines, ""])
