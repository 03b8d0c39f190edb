"""Find the cases of a folder by its layout, with everything that is passed over."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from glioforge.config import Spec
from glioforge.core import InputFileError, counted, name_key, parse_condition, require_some
from glioforge.io.dataset_json import is_label_name
from glioforge.io.folder_kind import require_no_cohort, require_scans
from glioforge.io.layout import FoundCase, Layout, LayoutSpec, detect, layout_for
from glioforge.io.scan_names import stem
from glioforge.io.walk import PassedOver, Walk, refuse_leading_out, summary, walk

UNUSED = "image files whose names the layout does not know"


@final
@dataclass(frozen=True)
class FoundFolder:
    """Cases of a folder, before an image is opened.

    Args:
        root: The folder, resolved.
        layout: Kind of the layout.
        cases: Cases in the order of their ids.
        passed: Files and folders that are not used, with the reason.
        bounds: Folder that files must not lead out of by links.
    """

    root: Path
    layout: str
    cases: tuple[FoundCase, ...]
    passed: tuple[PassedOver, ...]
    bounds: Path

    def lines(self) -> list[str]:
        """What a user should know: what is passed over, and that no case has labels."""
        lines = summary(self.passed, self.root)
        if self.cases and not any(case.labels for case in self.cases):
            lines.append(f"no label file in any of {counted(len(self.cases), 'case')}")
            lines += _single_labels(self.passed, self.root)
        return lines


def find_cases(folder: Path, layout: Spec | None = None) -> FoundFolder:
    """Walk over a folder and find its cases.

    Args:
        folder: Folder of scans.
        layout: How the folder is laid out; detected unless given.

    Raises:
        InputFileError: The folder is missing, holds a model or a study, or cannot be listed, linked folders lead out
            of it, a name is not UTF-8, or no case is found.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise InputFileError("no folder", "a folder of scans", "check the path", folder)
    require_scans(folder)
    follow = isinstance(layout, LayoutSpec) and layout.follow_links
    seen = walk(root, follow_links=follow)
    refuse_leading_out(seen)
    _require_utf8(seen)
    chosen = layout_for(layout) if layout and not _is_any(layout) else _detected(seen, folder, follow=follow)
    found = chosen.find(root)
    left_out = [case for case in found if case.labels is None] if _only_labelled(layout) else []
    kept = _without_namesakes([case for case in found if case not in left_out], seen)
    kind = type(chosen).__module__.rpartition(".")[2]
    if not kept:
        described = "; ".join(["no case found", *summary(seen.passed, root)])
        raise InputFileError(described, f"cases in layout {kind!r}", "correct its names or its settings", folder)
    passed = [*seen.passed, *_unused(seen, found), *_unlabelled(left_out)]
    return FoundFolder(root, kind, tuple(kept), tuple(passed), Path(root.anchor) if follow else root)


def _single_labels(passed: Iterable[PassedOver], root: Path) -> list[str]:
    """A line on files that seem to hold one label or region each, which nothing reads."""
    paths = [entry.path for entry in passed if is_label_name(re.split("[-_.]", stem(entry.path))[-1])]
    if not paths:
        return []
    example = paths[0].relative_to(root)
    remedy = "write one label file a case, with an integer for each label"
    return [f"{counted(len(paths), 'file')} named as masks of single labels or regions, such as {example}: {remedy}"]


def _require_utf8(seen: Walk) -> None:
    """Refuse names of other encodings, which no table and no page can hold."""
    strange = [str(path.relative_to(seen.root)) for path in seen.images if not _is_utf8(path)]
    if strange:
        raise InputFileError(
            f"{len(strange)} file names that are not UTF-8, such as {strange[0]!a}",
            "names in UTF-8",
            "rename the files and folders (convmv -f latin1 -t utf8)",
            seen.root,
        )


def _is_utf8(path: Path) -> bool:
    """Whether the bytes of a path are UTF-8."""
    try:
        os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_any(layout: Spec) -> bool:
    """Whether a spec only says how to look, and leaves the layout to be detected."""
    return type(layout) is LayoutSpec


def _detected(seen: Walk, folder: Path, *, follow: bool) -> Layout:
    """The layout that a folder looks like; what is passed over is said where there is none."""
    try:
        return detect(seen.root, follow_links=follow)
    except InputFileError as error:
        require_no_cohort(folder)
        found = "; ".join([error.found, *summary(seen.passed, seen.root)])
        raise InputFileError(found, error.expected, error.remedy, seen.root) from error


def _only_labelled(layout: Spec | None) -> bool:
    """Whether cases without labels are left out."""
    return isinstance(layout, LayoutSpec) and layout.only_labelled


def _without_namesakes(found: Iterable[FoundCase], seen: Walk) -> list[FoundCase]:
    """Cases with a problem for each of their files that another file of the same name contradicts."""
    names: defaultdict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in seen.images:
        names[path.parent, name_key(stem(path))].append(path)
    checked = []
    for case in found:
        known = {str(problem.where) for problem in case.problems}
        problems = [
            InputFileError(
                f"a second file of the name of {path.name}",
                "one file of a name, whatever its ending, capitals and Unicode form",
                f"remove {path.name} or {other.name} from the folder",
                other,
            )
            for path in dict.fromkeys(case.files.values())
            for other in names[path.parent, name_key(stem(path))]
            if other != path and str(other) not in known and other not in case.files.values()
        ]
        checked.append(replace(case, problems=(*case.problems, *problems)))
    return checked


def _unused(seen: Walk, found: Iterable[FoundCase]) -> list[PassedOver]:
    """Image files that belong to no case."""
    cases = list(found)
    used = {path for case in cases for path in case.files.values()}
    doubled = {str(problem.where) for case in cases for problem in case.problems}
    left = [path for path in seen.images if path not in used and str(path) not in doubled]
    remedy = "nothing, if they are not needed; else name a layout"
    return [PassedOver(path, UNUSED, remedy) for path in left]


def _unlabelled(cases: Iterable[FoundCase]) -> list[PassedOver]:
    """Cases without labels that the layout leaves out."""
    return [PassedOver(path, "files of cases without labels") for case in cases for path in case.files.values()]


def select_found(
    found: Sequence[FoundCase], where: Iterable[str], name: str
) -> tuple[Sequence[FoundCase], tuple[str, ...]]:
    """Select found cases by conditions on what names of folders and tables say of them (see `core.selection`).

    Args:
        found: Cases of a folder.
        where: Conditions.
        name: Name of the folder, for messages.

    Returns:
        The cases that fulfil the conditions on facts that any of them has, and the other conditions, which have to
        wait until the cases are read.

    Raises:
        SpecError: A condition cannot be read.
        CohortError: No case fulfils the conditions.
    """
    known = {case.case_id: found_facts(case) for case in found}
    conditions = [parse_condition(text) for text in where]
    early = [c for c in conditions if any(facts.get(c.fact) is not None for facts in known.values())]
    later = tuple(str(condition) for condition in conditions if condition not in early)
    if not early:
        return found, later
    names = require_some(known, early, name)
    return [case for case in found if case.case_id in names], later


def found_facts(case: FoundCase) -> dict[str, Any]:
    """Return what conditions may name before a case is read: its facts, id, subject and session."""
    return {**case.facts, "case": case.case_id, "subject": case.subject_id, "session": case.session}
