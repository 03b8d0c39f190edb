"""Collect what speaks for the label scheme of each case, and ask for it where several schemes fit.

Evidence is a case's values, names, tables and sidecar, and what the user
states; a question names the schemes that fit, with the voxels of each class.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from glioforge.config import Spec
from glioforge.core import SCHEMES, LabelError, LabelScheme, SpecError, scheme_named
from glioforge.io.case_check import CheckedCase
from glioforge.io.layout import LayoutSpec
from glioforge.io.scan_names import Hint, hint_of_names


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


_REMEDY = (
    "say which: --scheme {example}, or scheme: {example} in the layout's YAML; "
    "a numbering that none of them has is written as --scheme oedema=1,necrotic_core=2,enhancing=3"
)


def question(totals: Mapping[int, int], allowed: Iterable[str] = (), odd: Sequence[str] = ()) -> LabelError:
    """Return the error that asks which scheme label values belong to.

    Args:
        totals: Voxels of each value over all cases, without background.
        allowed: Schemes that names leave; all unless given.
        odd: Remarks on files that differ from the others.
    """
    schemes = [scheme_named(name) for name in allowed] or list(SCHEMES.values())
    fitting = [scheme for scheme in schemes if set(totals) <= set(scheme.labels.values())]
    told = "".join(f"; {remark}" for remark in odd)
    choices = "".join(f"\n  {scheme.name}: {_classes(scheme, totals)}" for scheme in fitting or schemes)
    say = _REMEDY.format(example=(fitting or schemes)[0].name)
    if not fitting:
        return LabelError(
            f"label values {shown_counts(totals)}, which no label scheme has{told}",
            "values of one scheme",
            f"remap the values that are no labels (255 often marks 'ignore'), or {say}; the schemes are{choices}",
        )
    return LabelError(
        f"label values {shown_counts(totals)}: names and values do not tell the label scheme{told}",
        "a label scheme that is known",
        f"{say}; these fit{choices}",
    )


def contradiction(first: str, second: str) -> LabelError:
    """Return the error that names two cases whose names or values speak for different schemes."""
    return LabelError(
        f"label schemes that contradict each other: {first} and {second}",
        "cases of one label scheme",
        "put cases of another scheme into a folder of their own and ingest each by itself, "
        "or name the scheme that all of them have with --scheme",
    )


def shown_counts(counts: Mapping[int, int]) -> str:
    """Return label values with their voxels, as text.

    Example:
        >>> shown_counts({4: 12, 1: 3})
        '1 (3 voxels), 4 (12 voxels)'
    """
    return ", ".join(f"{value} ({count} voxels)" for value, count in sorted(counts.items()))


def _classes(scheme: LabelScheme, totals: Mapping[int, int]) -> str:
    """Classes that a scheme reads the values as, with their voxels."""
    named = [f"{value} {name} {totals[value]}" for name, value in scheme.labels.items() if value in totals]
    return ", ".join(named) if named else ", ".join(f"{v} {n}" for n, v in scheme.labels.items() if v)
