"""Dataset layouts: how a folder of scans names its cases and contrasts, and a case as it is found.

A layout only looks at names; what the files hold is checked by `io.ingest`.
Each layout is one file in `io/layouts`.  Without a choice, the layouts are
asked in turn whether a folder looks like theirs.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, final

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator

from glioforge.config import Registry, Spec
from glioforge.core import InputFileError, LabelError, Modality, composed, scheme_named
from glioforge.io.scan_names import BRAIN, LABELS, UNCLEAR, Hint
from glioforge.io.walk import scan_files

__all__ = [
    "BRAIN",
    "LABELS",
    "LAYOUTS",
    "AnyLayout",
    "FoundCase",
    "Layout",
    "LayoutChoice",
    "LayoutSpec",
    "Modality",
    "assemble",
    "detect",
    "layout_for",
    "scan_files",
    "subject_of",
]


class LayoutSpec(Spec):
    """What every layout can be told."""

    scheme: str | None = None
    """Label scheme of the label files; told by names and values when none is given."""
    only_labelled: bool = False
    """Leave out cases without a label file."""
    subject: str | None = None
    """Regular expression for the subject (and session) in a case id, with groups of these names."""
    follow_links: bool = Field(default=False, exclude_if=lambda value: not value)
    """Also read linked folders that lead out of the folder; they are refused otherwise."""
    register_to: Modality | None = Field(None, exclude_if=lambda value: value is None)
    """Contrast onto whose grid the others of a case are registered where they lie on another; none refuses them."""

    @field_validator("scheme")
    @classmethod
    def _known_scheme(cls, scheme: str | None) -> str | None:
        """Refuse a scheme that nobody knows."""
        if scheme is None:
            return None
        try:
            return scheme_named(scheme).name
        except LabelError as error:
            raise ValueError(str(error)) from error

    @field_validator("subject")
    @classmethod
    def _subject_group(cls, subject: str | None) -> str | None:
        """Refuse what is no regular expression with a group `subject`."""
        if subject is None:
            return None
        try:
            groups = re.compile(subject).groupindex
        except re.error as error:
            raise ValueError(f"{subject!r} is not a regular expression ({error})") from error
        if "subject" not in groups:
            raise ValueError(f"{subject!r} has no group (?P<subject>...)")
        return subject


@final
@dataclass(frozen=True)
class FoundCase:
    """Files of one case, by what they hold.

    Args:
        case_id: Unique within the folder.
        subject_id: The person.
        images: File of each contrast.
        labels: Label file, if any.
        brain: Brain-mask file, if any.
        session: Visit, if it is part of the name.
        hint: What the layout knows of the label scheme; none leaves it to the names (see `io.scan_names`).
        facts: What names and tables tell: grade, site.
        sidecar: JSON file in the images' folder that describes a computed case, if any.
        problems: What is wrong with the names, for example a contrast that is there twice.
        channels: Which image of its file each contrast is, counted from 0; none for files of one image.
    """

    case_id: str
    subject_id: str
    images: Mapping[Modality, Path]
    labels: Path | None = None
    brain: Path | None = None
    session: str | None = None
    hint: Hint | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    sidecar: Path | None = None
    problems: tuple[InputFileError, ...] = ()
    channels: Mapping[Modality, int] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, Path]:
        """All image files by contrast, labels or brain."""
        extra = {LABELS: self.labels, BRAIN: self.brain}
        return {**{str(m): p for m, p in self.images.items()}, **{k: p for k, p in extra.items() if p is not None}}

    def channel(self, role: str) -> int | None:
        """Which image of its file a contrast is; none for a file of one image."""
        return next((number for modality, number in self.channels.items() if modality == role), None)


class Layout(ABC):
    """Finds the cases of a folder by their names.

    Args:
        spec: The layout's own spec.
    """

    general: ClassVar[bool] = False
    """Whether many folders look like this one; general layouts are asked last."""

    def __init__(self, spec: Any) -> None:  # noqa: ANN401 - each layout has its own spec
        self._spec = spec

    def matches(self, folder: Path) -> bool:  # noqa: ARG002 - for layouts that know their folders
        """Whether the folder looks like this layout; false for one that has to be named."""
        return False

    @abstractmethod
    def find(self, folder: Path) -> list[FoundCase]:
        """Cases in the order of their ids; none where nothing is recognised."""


LAYOUTS: Registry[Layout] = Registry("layout", "glioforge.io.layouts")
"""All layouts, one file each in `glioforge/io/layouts`."""


AnyLayout = Annotated[SerializeAsAny[Spec], BeforeValidator(LAYOUTS.parse)]
"""A field that takes any layout by `kind`."""


@final
class LayoutChoice(Spec):
    """A YAML file that describes the layout of a folder."""

    layout: AnyLayout
    """The layout, by `kind`."""


def layout_for(spec: Spec) -> Layout:
    """The layout that a spec describes."""
    return LAYOUTS.part_for(spec)(spec)


def detect(folder: Path, *, follow_links: bool = False) -> Layout:
    """Find the layout that a folder looks like, special ones before general ones.

    Args:
        folder: Folder of scans.
        follow_links: Also read linked folders that lead out of the folder.

    Raises:
        InputFileError: It looks like none.
    """
    settings = {"follow_links": True} if follow_links else {}
    kinds = sorted(LAYOUTS.kinds(), key=lambda kind: (LAYOUTS.part_class(kind).general, kind))
    for kind in kinds:
        layout = layout_for(LAYOUTS.spec_class(kind).model_validate(settings))
        if layout.matches(folder):
            return layout
    pairs = sum(path.with_suffix(".hdr").is_file() for path in folder.rglob("*.img"))
    if pairs:
        raise InputFileError(
            f"{pairs} pairs of .hdr and .img, which do not say where left and right are",
            "NIfTI files, .nii or .nii.gz",
            "convert them with a tool that is told their orientation (OASIS-1 tells it in its guide), and look at one",
            folder,
        )
    raise InputFileError(
        "no case found",
        f"a folder laid out as one of {', '.join(kinds)}",
        "describe it in a YAML file (layout: {kind: flat, pattern: '{case}/{contrast}', contrasts: {...}}) "
        "and run: glioforge ingest FOLDER --layout YAML --out cohort; for label maps without scans: "
        "--layout label_maps --scheme freesurfer",
        folder,
    )


_SESSIONS = (
    re.compile(r"(?P<subject>BraTS-[A-Za-z]+-\d+)-(?P<session>\d+)"),
    re.compile(r"(?P<subject>brats_(?:2013|tcia)_pat\d+)_(?P<session>\d+)"),
    re.compile(r"(?P<subject>(?i:brats)1[7-9]_\w+_\w+?)_(?P<session>\d+)"),
    re.compile(r"(?P<subject>UCSF-PDGM-\d+)_(?P<session>FU\w+)"),
    re.compile(r"(?P<subject>UPENN-GBM-\d+)_(?P<session>\d+)"),
    re.compile(r"(?P<subject>Patient-\d+)_(?P<session>week-[\w-]+)"),
    re.compile(r"(?P<subject>sub-[A-Za-z0-9]+)_ses-(?P<session>[A-Za-z0-9]+)"),
)


def assemble(
    case_id: str,
    roles: Iterable[tuple[str, Path]],
    *,
    subject: str | None = None,
    hint: Hint | None = None,
    facts: Mapping[str, Any] | None = None,
    channels: Mapping[Modality, int] | None = None,
) -> FoundCase:
    """Put the files of one case together.

    Args:
        case_id: Id of the case; kept in composed Unicode (NFC), however the folder is spelt.
        roles: Files with what they hold: a contrast's name, `labels`, `brain` or `unclear mask`, which is asked for
            where there are no labels and passed over otherwise.
        subject: Regular expression for the subject within the case id (see `subject_of`).
        hint: What the layout knows of the label scheme.
        facts: What names and tables tell.
        channels: Which image of its file each contrast is, where a file holds several.
    """
    files: dict[str, Path] = {}
    problems = []
    given = sorted(roles, key=lambda pair: pair[1])
    if LABELS not in {role for role, _ in given}:
        problems += [_unclear(path) for role, path in given if role == UNCLEAR]
    for role, path in (pair for pair in given if pair[0] != UNCLEAR):
        if role in files:
            problems.append(
                InputFileError(
                    f"a second {role} file beside {files[role].name}",
                    f"one {role} file a case",
                    f"remove {files[role].name} or {path.name}, or name the one that counts in a layout's YAML",
                    path,
                )
            )
        files.setdefault(role, path)
    name = composed(case_id)
    subject_id, session = subject_of(name, subject)
    folder = next(iter(files.values())).parent if files else Path()
    sidecar = folder / f"{case_id}.json"
    return FoundCase(
        name,
        subject_id,
        {m: files[m] for m in Modality if m in files},
        files.get(LABELS),
        files.get(BRAIN),
        session,
        hint,
        dict(facts or {}),
        sidecar if sidecar.is_file() else None,
        tuple(problems),
        dict(channels or {}),
    )


def _unclear(path: Path) -> InputFileError:
    """The problem of a mask that may be the brain or the tumour."""
    return InputFileError(
        "a mask that may be the brain or the tumour",
        "a name that says so, such as brain_mask or seg",
        "rename it, or name it in a layout's YAML (kind: flat with `labels: [mask]` or `brain: [mask]`)",
        path,
    )


def subject_of(case_id: str, pattern: str | None = None) -> tuple[str, str | None]:
    """Subject and session that a case id names; the id itself and none where it names neither.

    Args:
        case_id: Id of a case.
        pattern: Regular expression with a group `subject` and perhaps `session`;
            the namings of BraTS are known without one.

    Example:
        >>> subject_of("BraTS-GLI-00005-100")
        ('BraTS-GLI-00005', '100')
        >>> subject_of("brats_2013_pat0001_1")
        ('brats_2013_pat0001', '1')
        >>> subject_of("site7_p12_v3", r"(?P<subject>.+)_v(?P<session>[0-9]+)")
        ('site7_p12', '3')
    """
    for known in _SESSIONS if pattern is None else (re.compile(pattern),):
        match = known.fullmatch(case_id)
        if match:
            return match["subject"], match.groupdict().get("session")
    return case_id, None
