"""What speaks for the label scheme of each case: its values, names, tables, sidecar, and what the user states."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from glioforge.config.spec import Spec
from glioforge.core.errors import SpecError
from glioforge.core.schemes import scheme_named
from glioforge.io.case_check import CheckedCase
from glioforge.io.layout import LayoutSpec
from glioforge.io.scheme_hint import Hint, hint_of_names


@final
@dataclass(frozen=True)
class Evidence:
    """What speaks for the scheme of one labelled case.

    Args:
        case_id: The case.
        file: Its label file.
        counts: How many voxels hold each value.
        voxel_ml: Volume of a voxel in millilitres.
        hint: What names, tables or a sidecar say; none where they say nothing.
    """

    case_id: str
    file: Path
    counts: Mapping[int, int]
    voxel_ml: float
    hint: Hint | None = None

    @property
    def values(self) -> frozenset[int]:
        """Values of labelled voxels."""
        return frozenset(self.counts) - {0}

    @property
    def labelled_ml(self) -> float:
        """Volume of all labelled voxels in millilitres."""
        return sum(count for value, count in self.counts.items() if value) * self.voxel_ml

    @property
    def is_firm(self) -> bool:
        """Whether names leave certain schemes only."""
        return self.hint is not None and self.hint.firm and bool(self.hint.schemes)


def stated_scheme(layout: Spec | None, scheme: str | None) -> str | None:
    """Return the scheme that the user or the layout states, if any.

    Raises:
        SpecError: They state different ones.
    """
    own = layout.scheme if isinstance(layout, LayoutSpec) else None
    if own is not None and scheme is not None and scheme_named(own) != scheme_named(scheme):
        raise SpecError(f"label scheme {scheme!r}, and {own!r} in the layout", "one of them", "leave one out")
    return scheme or own


def evidence_of(checked: Iterable[CheckedCase], root: Path, *, unlabelled: bool = False) -> list[Evidence]:
    """Return what speaks for the label scheme of each labelled case.

    Args:
        checked: Cases whose files were opened.
        root: Folder that is read; names of folders above it do not count.
        unlabelled: Give evidence of the others instead: their names alone.
    """
    evidence = []
    for case in checked:
        found = case.found
        if (case.label_counts is None) != unlabelled:
            continue
        if case.sidecar is not None and case.sidecar.scheme is not None:
            hint: Hint | None = Hint((case.sidecar.scheme,), f"{case.sidecar.lineage.kind}, as the sidecar says")
        else:
            files = tuple(found.files.values())
            hint = found.hint if found.hint is not None else hint_of_names(found.case_id, files, root)
        volume = case.voxel_volume / 1000
        file = found.labels or next(iter(found.images.values()))
        evidence.append(Evidence(found.case_id, file, case.label_counts or {}, volume, hint))
    return evidence
