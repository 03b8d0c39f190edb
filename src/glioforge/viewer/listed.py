"""The cases that a page lists, what each is and which belong side by side, before a voxel is read.

A synthetic or edited case belongs next to the case that it was made from.

Conventions
-----------
kind     `real`, `phantom`, `synthetic` (images made by a synthesizer), `edited` (a label map with changed lesions, no
         images) or `file` (a single file that does not say where it comes from), by the lineage
parent   the partner's labels, lesion or style went into the case: it is shown on the left
child    the partner was made from the case: it is shown on the right
same     the same case or the same subject of another cohort, or the only two cases there are: shown on the right
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

from glioforge.core import (
    PREPARATION,
    CaseRef,
    Cohort,
    CohortError,
    InputFileError,
    LabelScheme,
    Lineage,
    Modality,
    Progress,
    scheme_named,
    select_cases,
)
from glioforge.data import STORED_FACTS, find_case
from glioforge.io import (
    COHORT_FILE,
    LABELS,
    MARKS,
    UNCLEAR,
    Scan,
    ingest,
    is_image,
    read_cohort,
    read_scan,
    role_of,
    stem,
)
from glioforge.viewer.shown import Shown

Kind = Literal["real", "phantom", "synthetic", "edited", "file"]


@final
@dataclass(frozen=True)
class Listed:
    """One case of the list.

    Args:
        case_id: Its id; unique within its cohort.
        cohort: Name of the cohort, or of the folder of a single file.
        kind: What it is.
        load: Reads its voxels.
        subject_id: The person or phantom, if known.
        source: What made it, or where it was read from.
        contrasts: Titles of its images.
        labelled: Whether it has a label map.
        parents: Ids of the cases that it was made from; the one whose labels it has comes first.
        edits: Kinds of the lesion edits that it went through, in order.
        tumour_ml: Volume of the whole tumour, if known without reading voxels.
        preparation: Hash of the settings that it was prepared with; cases with the same have comparable intensities.
    """

    case_id: str
    cohort: str
    kind: Kind
    load: Callable[[], Shown]
    subject_id: str | None = None
    source: str = ""
    contrasts: tuple[str, ...] = ()
    labelled: bool = False
    parents: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()
    tumour_ml: float | None = None
    preparation: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for the page."""
        left_out = ("load", "preparation")
        return {name: value for name, value in vars(self).items() if name not in left_out}


def listed(
    path: Path, scheme: str | None = None, where: Sequence[str] = (), progress: Progress | None = None
) -> tuple[Listed, ...]:
    """List the cases of a place.

    Args:
        path: A folder with a `cohort.json`, the folder of one prepared case, a folder of scans, or an image file.
        scheme: Label scheme of label files that do not say it.
        where: Facts that the cases of a cohort or of a folder of scans have, such as `grade=HGG`.
        progress: Where to show progress while a folder of scans is checked.

    Raises:
        CohortError: No case has these facts.
        InputFileError: There is nothing at the path, or it holds no case or a damaged one.
        LabelError: There is no scheme of this name, or names and values of label files do not tell it.
    """
    if path.is_dir():
        if (path / COHORT_FILE).is_file():
            return of_cohort(select_cases(read_cohort(path), where))
        stored = find_case(path.parent, path.name) if (path / STORED_FACTS).is_file() else None
        if stored is None:
            return of_cohort(ingest(path, require=(), scheme=scheme, where=where, progress=progress))
        return (_of_ref(stored, path.parent.name),)
    if path.is_file() and is_image(path):
        return (of_file(path, None if scheme is None else scheme_named(scheme)),)
    raise InputFileError(
        "no cohort, no folder of scans and no image file",
        "a folder with a cohort.json, a folder of scans, or a file such as case_t1.nii.gz",
        "check the path",
        path,
    )


def of_cohort(cohort: Cohort) -> tuple[Listed, ...]:
    """List the cases of a cohort in its order; empty for an empty one."""
    return tuple(_of_ref(ref, cohort.name) for ref in cohort)


def of_file(path: Path, scheme: LabelScheme | None = None) -> Listed:
    """List a single image file; it is a label map where its name says so or a scheme is given.

    Raises:
        InputFileError: The file is damaged.
    """
    scan = read_scan(path)
    labelled = scheme is not None or _named_as_labels(path)
    marked = next((kind for kind, mark in MARKS.items() if scan.header.description.startswith(mark)), None)
    kind: Kind = "phantom" if marked == "phantom" else "synthetic" if marked == "synthetic" else "file"
    return Listed(
        stem(path),
        path.resolve().parent.name,
        kind,
        lambda: _shown(read_scan(path), scheme, labelled=labelled),
        source=path.name,
        contrasts=() if labelled else (_title(path),),
        labelled=labelled,
    )


def _of_ref(ref: CaseRef, cohort: str) -> Listed:
    """A case of a cohort."""
    tumour = ref.facts.get("tumour_ml")
    return Listed(
        ref.case_id,
        cohort,
        _kind(ref),
        lambda: Shown.of_case(ref.load()),
        ref.subject_id,
        ref.lineage.source,
        tuple(modality.title for modality in ref.modalities),
        ref.labels is not None,
        _in_order(ref.case_id, ref.lineage),
        tuple(str(edit.get("kind", "edit")) for edit in ref.lineage.edits),
        float(tumour) if isinstance(tumour, int | float) else None,
        str(ref.facts[PREPARATION]) if PREPARATION in ref.facts else None,
    )


def _kind(ref: CaseRef) -> Kind:
    """What a case is."""
    return "edited" if ref.lineage.is_synthetic and not ref.images and ref.lineage.parents else ref.lineage.kind


def _in_order(case_id: str, lineage: Lineage) -> tuple[str, ...]:
    """Parents, the one first whose label map was kept or edited; lesion donors follow."""
    return tuple(sorted(lineage.parents, key=lambda parent: not case_id.startswith(f"{parent}-")))


def _named_as_labels(path: Path) -> bool:
    """Whether a file's name says that it holds labels or a mask."""
    return any(role in {LABELS, UNCLEAR, "brain"} for role in _roles(path))


def _title(path: Path) -> str:
    """Title of an image: its contrast where the name says it, else the name."""
    contrasts = [Modality(role).title for role in _roles(path) if role in set(Modality)]
    return contrasts[0] if contrasts else stem(path)


def _roles(path: Path) -> Iterable[str]:
    """Role of the whole name, and of what follows its separators, longest first."""
    name = stem(path)
    ends = [name] + [name[n + 1 :] for n, letter in enumerate(name) if letter in "-_."]
    return [role for role in map(role_of, ends) if role is not None][:1]


def _shown(scan: Scan, scheme: LabelScheme | None, *, labelled: bool) -> Shown:
    """Voxels of a single file."""
    if not labelled:
        return Shown.of_image(_title(scan.path), scan.image(Modality.T1).voxels, scan.header.geometry)
    if scheme is None:
        values = sorted({int(value) for value in scan.integers().ravel(order="K")})
        if values[0] < 0 or values[-1] > 255:
            raise InputFileError(
                f"label values from {values[0]} to {values[-1]}",
                "values from 0 to 255, or a scheme that names them",
                "name the scheme: --scheme freesurfer, for example",
                scan.path,
            )
        scheme = LabelScheme("values of the file", {"background": 0, **{f"label {v}": v for v in values if v}})
    return Shown.of_labels(scan.labels(scheme))


Role = Literal["parent", "child", "same"]


@final
@dataclass(frozen=True)
class Partner:
    """A case that another may be shown with.

    Args:
        number: Its place among all cases.
        role: What it is to the other.
    """

    number: int
    role: Role


def partners(cases: Sequence[Listed], others: Sequence[Listed] = ()) -> list[tuple[Partner, ...]]:
    """Find the partners of each case, best first.

    Args:
        cases: Cases of the list.
        others: Cases of the cohort to compare with; their numbers follow those of `cases`.  Where there are none,
            partners are found among the cases themselves, by lineage alone.

    Returns:
        The partners of each of `cases`; none where nothing belongs to it.

    Raises:
        CohortError: There are others, and none belongs to any case.

    Example:
        >>> scan = Listed("a", "scans", "real", load=lambda: None)
        >>> made = Listed("a-syn000", "made", "synthetic", load=lambda: None, parents=("a",))
        >>> partners([made], [scan])
        [(Partner(number=1, role='parent'),)]
    """
    offset = len(cases) if others else 0
    pool = list(enumerate(others or cases, start=offset))
    ids, children, subjects = _tables(pool)
    found = []
    for number, case in enumerate(cases):
        own = [Partner(n, "parent") for parent in case.parents for n in ids[parent]]
        own += [Partner(n, "child") for n in children[case.case_id]]
        if others:
            alike = ids[case.case_id] or ([] if own else subjects[case.subject_id])
            own += [Partner(n, "same") for n in alike]
        found.append(tuple(partner for partner in dict.fromkeys(own) if partner.number != number))
    if others and len(cases) == len(others) == 1 and not found[0]:
        return [(Partner(1, "same"),)]
    if others and not any(found):
        raise CohortError(
            f"no case of {others[0].cohort} that belongs to one of {cases[0].cohort}" if cases else "no case",
            "a cohort made from the other, or two of the same cases",
            "give the cohort that the cases were made from, or one case each",
        )
    return found


def _tables(
    pool: Iterable[tuple[int, Listed]],
) -> tuple[dict[str, list[int]], dict[str, list[int]], dict[str | None, list[int]]]:
    """Numbers by case id, by id of a parent, and by subject."""
    ids: defaultdict[str, list[int]] = defaultdict(list)
    children: defaultdict[str, list[int]] = defaultdict(list)
    subjects: defaultdict[str | None, list[int]] = defaultdict(list)
    for number, case in pool:
        ids[case.case_id].append(number)
        for parent in case.parents:
            children[parent].append(number)
        if case.subject_id is not None:
            subjects[case.subject_id].append(number)
    return ids, children, subjects
