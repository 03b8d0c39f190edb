"""Dataset layouts: how a folder of scans names its cases and contrasts.

A layout only looks at names; what the files hold is checked by `io.ingestion`.
Each layout is one file in `io/layouts`.  Without a choice, the layouts are
asked in turn whether a folder looks like theirs.
"""

import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, final

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator

from glioforge.config import Registry, Spec
from glioforge.core import InputFileError, LabelError, Modality, composed, scheme_named
from glioforge.io.case_files import FoundCase, assemble, subject_of
from glioforge.io.scan_names import BRAIN, LABELS, UNCLEAR, Hint, stem
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
    "ScanFile",
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
    """Regular expression with groups `subject` and perhaps `session`, which matches a case id as a whole."""
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
class ScanFile:
    """An image file below the folder that is read.

    Args:
        path: The file.
        root: The folder that is read.
    """

    path: Path
    root: Path

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the folders between the root and the file, and of the file."""
        return self.path.relative_to(self.root).parts

    @property
    def stem(self) -> str:
        """Name of the file without its ending, such as `.nii.gz`."""
        return stem(self.path)

    @property
    def composed(self) -> str:
        """The same in composed Unicode (NFC), so that two spellings of one name are equal."""
        return composed(self.stem)


Key = TypeVar("Key", bound=Hashable)
ROLES = frozenset({*map(str, Modality), LABELS, BRAIN, UNCLEAR})
"""What a file can hold."""


class Layout(ABC):
    """Finds the cases of a folder by their names.

    What a file holds is a word: a contrast as in settings (`t1`, `t1ce`, `t2`, `flair`, `aptw`), `labels`, `brain` or
    `unclear mask`, a mask that is asked for where there are no labels.

    Args:
        spec: The layout's own spec.
    """

    general: ClassVar[bool] = False
    """Whether many folders look like this one; general layouts are asked last."""
    hint: ClassVar[Hint | None] = None
    """What such names say about the label scheme; none leaves it to `io.scan_names`."""

    def __init__(self, spec: Any) -> None:  # noqa: ANN401 - each layout has its own spec
        self._spec = spec

    def matches(self, folder: Path) -> bool:  # noqa: ARG002 - for layouts that know their folders
        """Whether the folder looks like this layout; false for one that has to be named."""
        return False

    @abstractmethod
    def find(self, folder: Path) -> list[FoundCase]:
        """Cases in the order of their ids; none where nothing is recognised."""

    def files(self, folder: Path) -> list[ScanFile]:
        """Return the image files below a folder, sorted; linked folders as the settings say."""
        return [ScanFile(path, folder) for path in scan_files(folder, follow_links=self._spec.follow_links)]

    @staticmethod
    def by_case(
        files: Iterable[ScanFile], place: Callable[[ScanFile], tuple[Key, str] | None]
    ) -> dict[Key, list[tuple[str, Path]]]:
        """Sort files by case, in the order in which they come.

        Args:
            files: Of `files`.
            place: Gives the case of a file and what the file holds; none for a file that is passed over.

        Returns:
            What each file of a case holds, and the file.
        """
        cases: defaultdict[Key, list[tuple[str, Path]]] = defaultdict(list)
        for file in files:
            found = place(file)
            if found is not None:
                cases[found[0]].append((found[1], file.path))
        return dict(cases)

    def case(
        self,
        case_id: str,
        files: Iterable[tuple[str, Path]],
        *,
        hint: Hint | None = None,
        facts: Mapping[str, Any] | None = None,
        channels: Mapping[Modality, int] | None = None,
    ) -> FoundCase:
        """Put the files of one case together; its subject is found as the settings say.

        Args:
            case_id: Id of the case.
            files: What each file holds, and the file.
            hint: What is known of the label scheme; none takes the layout's own.
            facts: What names and tables tell: grade, site.
            channels: Which image of its file each contrast is, where a file holds several.

        Raises:
            ValueError: A word for what a file holds is unknown: a mistake in the layout.
        """
        files = list(files)
        unknown = {role for role, _ in files} - ROLES
        if unknown:
            msg = f"files that hold {', '.join(sorted(unknown))}, expected one of {', '.join(sorted(ROLES))}"
            raise ValueError(msg)
        return assemble(
            case_id, files, subject=self._spec.subject, hint=hint or self.hint, facts=facts, channels=channels
        )

    @staticmethod
    def only_masks(files: Iterable[tuple[str, Path]]) -> bool:
        """Whether no file of a case holds a contrast or labels."""
        return {role for role, _ in files} <= {BRAIN, UNCLEAR}


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
