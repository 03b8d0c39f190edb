"""Dataset layouts: how a folder of scans names its cases and contrasts.

A layout only looks at names; what the files hold is checked by `io.ingest`.
Each layout is one file in `io/layouts`.  Without a choice, the layouts are
asked in turn whether a folder looks like theirs.
"""

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, Any, ClassVar, final

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator

from glioforge.config import Registry, Spec
from glioforge.core import InputFileError, LabelError, Modality, scheme_named
from glioforge.io.found_case import BRAIN, LABELS, FoundCase, assemble, scan_files

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
