"""What every format of an export does: refuse cases that it cannot hold, write one case, write what is about all.

A format is a file of `release/formats` with a value `FORMAT`.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from glioforge.core import Case, CaseRef, CohortError, LabelScheme, Modality, listed
from glioforge.release.names import CaseName, Names

_PACKAGE = "glioforge.release.formats"


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
