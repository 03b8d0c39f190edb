"""Decide on the label scheme of a cohort by names and values, and ask where several schemes fit.

Enhancing tumour is 4 in BRATS 2013 to 2021, 3 since 2023 and 1 in children, and
a wrong guess trains without an error.  So evidence is gathered case by case, and
a scheme is taken only where names and values leave one.

Rules
-----
stated by the user                 that scheme
names of a data set, `dataset.json`, sidecars: all cases must agree; of several
    schemes, such as BraTS 2023 and 2024, the one that fits the values, provided
    that the others that fit mean the same by them; a lone 1 under names of a year may be a
    mask of the whole tumour and is asked about
contrasts named as in 2017-2021    brats2017 where 3 is absent, and 4, or 1 and 2, are there
contrasts named as since 2023      brats2023 where 3 is there and 4 is not
a `dseg` of a BIDS derivative      bids_tissue where each map is as large as a brain
values 1, 2 and 4 and no other     brats2017, which alone uses all of these
no labelled voxel                  any: there is nothing to misread
else                               asked
"""

from collections.abc import Sequence

import numpy as np

from glioforge.core import (
    BIDS_TISSUE,
    BRATS2017,
    BRATS2023,
    BRATS2024,
    FREESURFER,
    LESION,
    SCHEMES,
    LabelError,
    LabelScheme,
    LabelSource,
    brain_values,
    scheme_named,
)
from glioforge.io.scan_names import NAME_HINTS, NEW_NAMES
from glioforge.io.scheme_evidence import Evidence, contradiction, question, shown_counts

BRAIN_ML = 400.0
"""A map of less labelled tissue than this is no map of a brain's tissue."""


def detect_scheme(cases: Sequence[Evidence], stated: str | None = None) -> LabelSource:
    """Decide on the label scheme of a cohort.

    Args:
        cases: Evidence of each labelled case; may be empty.
        stated: Name of the scheme, if the user names one.

    Returns:
        The scheme's name and why it was taken.

    Raises:
        LabelError: Cases contradict each other, or several schemes fit; the message lists them with voxel counts.
    """
    if stated is not None:
        own = scheme_named(stated).name
        other = next((case for case in cases if case.is_firm and own not in _schemes(case)), None)
        told = (
            f"; {other.case_id} says {' or '.join(_schemes(other))}: {other.hint.reason}"
            if other and other.hint
            else ""
        )
        return LabelSource(own, f"stated{told}")
    if not any(case.values for case in cases):
        hints = sorted((c.hint for c in cases if c.hint and c.hint.schemes), key=lambda hint: not hint.firm)
        nothing = "no labelled voxel" if any(case.counts for case in cases) else "no label file"
        return (
            LabelSource(hints[0].schemes[0], f"{hints[0].reason}; {nothing}")
            if hints
            else LabelSource("brats2017", nothing)
        )
    firm = [case for case in cases if case.is_firm]
    return _by_names(firm, cases) if firm else _by_values(cases)


def _by_names(firm: Sequence[Evidence], cases: Sequence[Evidence]) -> LabelSource:
    """The scheme that names leave, if all cases agree and values leave one of several."""
    allowed = _common(firm)
    values = _values(cases, allowed)
    if len(allowed) > 1:
        allowed = _leave_one(allowed, values, cases)
    scheme = scheme_named(allowed[0])
    other = next((c for c in cases if c.values and not c.is_firm and not _leans_to(c, scheme)), None)
    if other is not None:
        raise contradiction(_described(firm[0]), _described(other))
    if values == {1} and scheme.lesion_values != (1,) and all(case.hint in NAME_HINTS for case in firm):
        raise question(_totals(cases), allowed=(LESION.name, scheme.name))
    reasons = dict.fromkeys(case.hint.reason for case in firm if case.hint)
    return LabelSource(scheme.name, f"{' and '.join(reasons)}; {_text(values)}")


def _common(firm: Sequence[Evidence]) -> tuple[str, ...]:
    """Schemes that the names of all cases allow; refuses the first two that have none in common."""
    allowed = firm[0]
    left = _schemes(allowed)
    for case in firm[1:]:
        both = tuple(name for name in left if name in _schemes(case))
        if not both:
            raise contradiction(_described(allowed), _described(case))
        allowed, left = (case, both) if len(both) < len(left) else (allowed, left)
    return left


def _leave_one(allowed: tuple[str, ...], values: frozenset[int], cases: Sequence[Evidence]) -> tuple[str, ...]:
    """Of several schemes the first that fits, if all that fit mean the same; else asked."""
    fitting = [scheme_named(name) for name in allowed if values <= _named_values(name)]
    if not fitting or len({_meaning(scheme, values) for scheme in fitting}) > 1:
        raise question(_totals(cases), allowed=[scheme.name for scheme in fitting] or allowed, odd=_odd(cases, allowed))
    # Old numbering under new names has a 4 and no 3; so has a resection cavity without enhancing tumour.
    if fitting[0] == BRATS2024 and 3 not in values:
        raise question(_totals(cases), allowed=(BRATS2024.name, BRATS2017.name), odd=_odd(cases, allowed))
    return (fitting[0].name,)


def _by_values(cases: Sequence[Evidence]) -> LabelSource:
    """The scheme that names lean to and values confirm; else asked."""
    hints = list(dict.fromkeys(case.hint for case in cases if case.hint and case.hint.schemes))
    if len(hints) > 1 and not frozenset.intersection(*(frozenset(hint.schemes) for hint in hints)):
        first, second = (next(case for case in cases if case.hint == hint) for hint in hints[:2])
        raise contradiction(_described(first), _described(second))
    plausible = _plausible(cases)
    values = _values(cases, plausible)
    hinted = {name for hint in hints for name in hint.schemes} if all(_leans(case) for case in cases) else set()
    reason = " and ".join(hint.reason for hint in hints)
    if BRATS2017.name in hinted and values <= {1, 2, 4} and (4 in values or {1, 2} <= values):
        return LabelSource(BRATS2017.name, f"{reason}; {_text(values)}")
    if BRATS2023.name in hinted and 3 in values and values <= {1, 2, 3}:
        return LabelSource(BRATS2023.name, f"{reason}; {_text(values)}")
    brains = all(case.labelled_ml >= BRAIN_ML for case in cases)
    if BIDS_TISSUE.name in hinted and values <= {1, 2, 3} and brains:
        return LabelSource(BIDS_TISSUE.name, f"{reason}; as large as brains")
    if values == {1, 2, 4} and NEW_NAMES not in hints:
        return LabelSource(BRATS2017.name, f"{_text(values)}: no other scheme uses exactly these")
    raise question(_totals(cases), allowed=plausible, odd=_odd(cases, plausible))


def require_known_values(cases: Sequence[Evidence], source: LabelSource) -> list[tuple[str, LabelError]]:
    """Return one error for each case with values that the scheme does not name; none for a sound cohort."""
    scheme = scheme_named(source.scheme)
    if scheme == FREESURFER:
        return _without_brain(cases)
    known = set(scheme.labels.values())
    return [
        (
            case.case_id,
            LabelError(
                f"label values {shown_counts({v: n for v, n in case.counts.items() if v not in known})}",
                f"values of scheme {scheme.name!r} ({source.reason}): {dict(scheme.labels)}",
                "remap the file or leave the case out, or name another scheme with --scheme",
                case.file,
            ),
        )
        for case in cases
        if not set(case.counts) <= known
    ]


def _without_brain(cases: Sequence[Evidence]) -> list[tuple[str, LabelError]]:
    """One error for each map in which values of the brain are missing; what surrounds the brain has no name."""
    wanted = {"cerebral white matter": (2, 41), "cerebral cortex": (3, 42)}
    errors = []
    for case in cases:
        held = set(np.unique(brain_values(np.array([[list(case.counts)]]))).tolist())
        missing = [name for name, values in wanted.items() if not held & set(values)]
        if missing:
            error = LabelError(
                f"label values {shown_counts(case.counts)}, without {' and '.join(missing)}",
                "an anatomical map with FreeSurfer's values",
                "name another scheme with --scheme",
                case.file,
            )
            errors.append((case.case_id, error))
    return errors


def _values(cases: Sequence[Evidence], allowed: Sequence[str]) -> frozenset[int]:
    """Values that decide: those that some scheme names, or all where none does; strangers are refused afterwards."""
    values = frozenset().union(*(case.values for case in cases))
    return frozenset(v for v in values if any(v in _named_values(name) for name in allowed)) or values


def _leans(case: Evidence) -> bool:
    """Whether names lean to some scheme, or there is nothing to misread."""
    return not case.values or bool(case.hint and case.hint.schemes)


def _leans_to(case: Evidence, scheme: LabelScheme) -> bool:
    """Whether a case whose names are not firm may have this scheme by names and values."""
    return scheme.name in _schemes(case) and case.values <= _named_values(scheme.name)


def _schemes(case: Evidence) -> tuple[str, ...]:
    """Schemes that the names of a case allow or lean to."""
    return case.hint.schemes if case.hint else ()


def _named_values(name: str) -> set[int]:
    """Values that a scheme names."""
    return set(scheme_named(name).labels.values())


def _plausible(cases: Sequence[Evidence]) -> list[str]:
    """Schemes that maps of this size can have, and those of names: tissue is as large as a brain, tumours are not."""
    brains = all(case.labelled_ml >= BRAIN_ML for case in cases if case.values)
    named = {name for case in cases for name in _schemes(case)}
    return [scheme.name for scheme in SCHEMES.values() if scheme.is_complete == brains or scheme.name in named]


def _meaning(scheme: LabelScheme, values: frozenset[int]) -> tuple[tuple[str, ...], ...]:
    """What each value means to regions; schemes of one meaning read a map alike."""
    regions = {name: scheme.region_values(name) for name in ("WT", "TC", "ET") if name in scheme.regions}
    tissue = {scheme.labels[name]: name for name in scheme.tissue}
    return tuple(
        (*(name for name, held in regions.items() if value in held), tissue.get(value, "")) for value in sorted(values)
    )


def _described(case: Evidence) -> str:
    """A case with its values and what its names say."""
    names = case.hint.reason if case.hint and case.hint.schemes else "names say nothing"
    values = shown_counts({value: count for value, count in case.counts.items() if value})
    return f"{case.case_id} ({names}; {values or 'no labelled voxel'})"


def _totals(cases: Sequence[Evidence]) -> dict[int, int]:
    """Labelled voxels of each value over all cases."""
    values = sorted({value for case in cases for value in case.values})
    return {value: sum(case.counts.get(value, 0) for case in cases) for value in values}


def _odd(cases: Sequence[Evidence], allowed: Sequence[str]) -> list[str]:
    """Files that alone, or nearly so, hold a value, or hold one that none of these schemes has."""
    odd = []
    for value in sorted({value for case in cases for value in case.values}):
        holders = [case for case in cases if value in case.values]
        if len(holders) * 5 <= len(cases) or not any(value in _named_values(name) for name in allowed):
            named = ", ".join(f"{case.file.name} ({shown_counts(case.counts)})" for case in holders[:3])
            odd.append(f"value {value} is in {len(holders)} of {len(cases)} label files: {named}")
    return odd


def _text(values: frozenset[int]) -> str:
    """Values of a cohort."""
    return f"values {', '.join(map(str, sorted(values)))}"
