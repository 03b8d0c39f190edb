"""Names prepared cases that do not fit each other: voxel sizes, grids or contrasts that differ within a cohort.

A network takes voxels for millimetres, so that cases of 1 mm and of 5 mm slices
must not train one model unless they are resampled.  Preparation says which
cases differ, training refuses them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from glioforge.core import CaseRef, Cohort, CohortError, Geometry, listed
from glioforge.data.preparation.grid import GridPlan, Triple

SAME = 0.01
"""Voxel sizes that differ by less than this share fit each other."""
_SHOWN = 3
Groups = Mapping[str, list[str]]


def misfits(cohort: Cohort) -> list[str]:
    """Say which prepared cases do not fit the others, with the option that makes them fit; none where all do."""
    lines = []
    sizes, contrasts = voxel_sizes(cohort), contrasts_of(cohort)
    if len(sizes) > 1:
        lines.append(f"voxel sizes differ: {in_words(sizes)}; training refuses them, set grid.spacing_mm to resample")
    if len(contrasts) > 1:
        lines.append(f"contrasts differ: {in_words(contrasts)}; only a synthesizer with `gaps: true` learns from all")
    return lines


def require_one_grid(cohort: Cohort) -> None:
    """Refuse to train on prepared cases whose voxel sizes or grids differ; cases without a record pass.

    Raises:
        CohortError: Names the groups, their cases, and the option that resamples them.
    """
    sizes = voxel_sizes(cohort)
    if len(sizes) > 1:
        raise CohortError(
            f"cases whose voxel sizes differ: {in_words(sizes)}",
            "one voxel size",
            "prepare them with one, for example --set grid.spacing_mm=1.0, into another folder",
            cohort.where,
        )
    shapes = _grouped(cohort, lambda ref: " x ".join(map(str, _plan(ref).size)))
    if len(shapes) > 1:
        raise CohortError(
            f"cases on grids of different shapes: {in_words(shapes)}",
            "one shape",
            "prepare them together, or with the same grid.size",
            cohort.where,
        )


def require_same_contrasts(cohort: Cohort, remedy: str) -> None:
    """Refuse cases whose contrasts differ.

    Args:
        cohort: The cases.
        remedy: Which option takes them.

    Raises:
        CohortError: Names the groups and their cases.
    """
    groups = contrasts_of(cohort)
    if len(groups) > 1:
        raise CohortError(
            f"cases whose contrasts differ: {in_words(groups)}",
            "the same contrasts in every case",
            remedy,
            cohort.where,
        )


def grid_of(cohort: Cohort) -> Geometry | None:
    """Return shape and spacing that all cases were prepared to, on the first case's grid; none where they differ.

    Args:
        cohort: The cases; none is returned for one without a record of preparation too.
    """
    plans = [_plan(ref) for ref in cohort if "grid" in _record(ref)]
    if not plans or len(plans) < len(cohort):
        return None
    first = plans[0]
    alike = all(p.size == first.size and same_size(p.target.spacing, first.target.spacing) for p in plans)
    return first.target if alike else None


def contrasts_of(cohort: Cohort) -> Groups:
    """Case ids by the contrasts that the cases have."""
    groups: dict[str, list[str]] = {}
    for ref in cohort:
        groups.setdefault(" + ".join(str(m) for m in ref.modalities) or "none", []).append(ref.case_id)
    return groups


def voxel_sizes(cohort: Cohort) -> Groups:
    """Case ids by voxel size in mm; sizes within 1 % are one, cases without a record of preparation are left out."""
    found: list[Triple] = []

    def name(ref: CaseRef) -> str:
        spacing = _plan(ref).target.spacing
        known = next((size for size in found if same_size(size, spacing)), None)
        if known is None:
            found.append(spacing)
        return size_text(known or spacing)

    return _grouped(cohort, name)


def same_size(one: Triple, other: Triple) -> bool:
    """Whether two voxel sizes differ by less than 1 % along every axis."""
    return all(abs(a - b) <= SAME * max(a, b) for a, b in zip(one, other, strict=True))


def size_text(spacing: Triple) -> str:
    """Voxel size in words.

    Example:
        >>> size_text((1.0, 1.0, 2.5))
        '1 x 1 x 2.5 mm'
    """
    return " x ".join(f"{side:.3g}" for side in spacing) + " mm"


def in_words(groups: Groups) -> str:
    """Groups with the names of some of their cases.

    Example:
        >>> in_words({"t1": ["a"], "t1 + t2": ["b", "c", "d", "e"]})
        't1 (a) and t1 + t2 (b, c, d and 1 more)'
    """
    parts = []
    for name, cases in groups.items():
        parts.append(f"{name} ({listed(cases, _SHOWN)})")
    return " and ".join(parts)


def _grouped(cohort: Cohort, name: Callable[[CaseRef], str]) -> Groups:
    """Case ids by a property of their prepared grids."""
    groups: dict[str, list[str]] = {}
    for ref in cohort:
        if "grid" in _record(ref):
            groups.setdefault(name(ref), []).append(ref.case_id)
    return groups


def _plan(ref: CaseRef) -> GridPlan:
    """How a prepared case's grid was made."""
    return GridPlan.from_json(_record(ref)["grid"])


def _record(ref: CaseRef) -> Mapping[str, Any]:
    """What preparation noted of a case; nothing for one that was not prepared."""
    record: Mapping[str, Any] = ref.facts.get("prepared", {})
    return record
