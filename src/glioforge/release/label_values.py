"""The label scheme of an export, and maps in it: nothing that a map distinguishes may be merged.

Each cohort has a scheme of its own label files.  Cohorts whose schemes differ are
exported in one that the user names.  A scheme that cannot hold what the maps hold
is refused before anything is written.  Normal tissue that preparation computed may
be left out or merged; tissue that came in the label files may not be merged.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, final

import numpy as np

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import (
    ANATOMIES,
    SCHEMES,
    CaseRef,
    Cohort,
    LabelError,
    LabelMap,
    LabelScheme,
    Progress,
    described,
    listed,
    scheme_named,
    scheme_to_write,
)


def own_scheme(cohort: Cohort) -> LabelScheme | None:
    """Return the scheme of a cohort's label files; none where a prepared cohort does not say which that was."""
    own, files = cohort.scheme, cohort.file_scheme
    if cohort.source is None:
        return None if own.is_complete else own
    if _reachable(files, own):
        return files
    return own if files.is_complete else scheme_to_write(own, cohort)


def scheme_of_export(cohorts: Sequence[Cohort], asked: str | None) -> LabelScheme:
    """Decide on the scheme of all label files.

    Args:
        cohorts: At least one cohort with label maps.
        asked: Name of the scheme that the user wants.

    Raises:
        LabelError: The cohorts' label files have several schemes and none is asked for, or it is unknown.
    """
    if asked is not None:
        return scheme_named(asked)
    schemes = [own_scheme(cohort) for cohort in cohorts]
    first = schemes[0]
    if first is not None and all(scheme == first for scheme in schemes):
        return first
    pairs = zip(cohorts, schemes, strict=True)
    found = ", ".join(f"{cohort.where}: {scheme.name if scheme else 'not known'}" for cohort, scheme in pairs)
    possible = ", ".join(candidates(cohorts))
    raise LabelError(
        f"label files of several schemes, or of one that is not recorded ({found})",
        f"one scheme for all: {possible}" if possible else "one scheme for all, and none holds all of their labels",
        "name it with --scheme (scheme)" if possible else "export the cohorts one by one",
    )


def candidates(cohorts: Iterable[Cohort]) -> list[str]:
    """Return the schemes that hold every label of some cohorts' maps; none for no cohort."""
    held = [(cohort.scheme, given_values(cohort)) for cohort in cohorts]
    known = {**SCHEMES, **ANATOMIES}
    return [name for name, target in known.items() if held and not any(lost(own, target, v) for own, v in held)]


def lost(own: LabelScheme, target: LabelScheme, used: Iterable[int] | None = None) -> tuple[str, ...]:
    """Return the labels of a scheme that another one cannot hold apart, in the order of the scheme.

    Args:
        own: Scheme of a map.
        target: The wanted scheme.
        used: Values that the maps hold; all of `own` unless given.

    Example:
        >>> lost(SCHEMES["brats2013"], SCHEMES["brats2017"])
        ('necrosis', 'non_enhancing')
        >>> lost(SCHEMES["complete"], SCHEMES["brats2017"])
        ()
    """
    values = set(own.labels.values() if used is None else used) - {0}
    places = {name: _place(own, target, name) for name, value in own.labels.items() if value in values}
    kept = [place for place in places.values() if place]
    return tuple(
        name
        for name, place in places.items()
        if kept.count(place) > 1
        or (name in own.tissue and not place and (target.tissue or not own.lesion))
        or (name not in own.tissue and place not in target.lesion_values)
    )


def require_no_lost_label(
    cohorts: Iterable[Cohort],
    target: LabelScheme,
    *,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> None:
    """Refuse a scheme that cannot hold what the maps hold; maps are read only where their scheme could lose a label.

    Raises:
        LabelError: Names the labels that would be lost, and cases that have them.
    """
    doubtful = [cohort for cohort in cohorts if lost(cohort.scheme, target, given_values(cohort))]
    for cohort in doubtful:
        labelled = [ref for ref in cohort if ref.labels is not None]
        held = dict(fan_out(_values, labelled, parallel, title="looking for labels", progress=progress))
        used = {value for values in held.values() for value in values}
        gone = lost(cohort.scheme, target, used & given_values(cohort))
        if gone:
            values = {cohort.scheme.labels[name] for name in gone}
            cases = [case_id for case_id, own in held.items() if values & own]
            others = ", ".join(candidates(doubtful)) or "none, so export the cohorts one by one"
            raise LabelError(
                f"labels {listed(gone)} in {len(cases)} cases, such as {', '.join(cases[:3])}",
                f"labels that {shown(target)} distinguishes",
                f"export in a scheme that holds them (--scheme): {others}",
                cohort.where,
            )


def given_values(cohort: Cohort) -> frozenset[int]:
    """Return the values of a cohort's maps that came from people: lesion labels, and tissue of its label files."""
    own, files = cohort.scheme, cohort.file_scheme
    if cohort.source is None and own.is_complete:
        return frozenset(own.lesion_values)
    try:
        came = {int(files.table_to(own)[value]) for value in files.labels.values()}
    except LabelError:
        came = set()
    return frozenset({*own.lesion_values, *came} - {0})


def expressed(labels: LabelMap, target: LabelScheme, given: frozenset[int]) -> LabelMap:
    """Return a map in another scheme, or refuse it.

    Args:
        labels: The map.
        target: The wanted scheme.
        given: Values that must not be lost (see `given_values`).

    Raises:
        LabelError: Two of its labels would become one, or a label has no counterpart.
    """
    if labels.scheme == target:
        return labels
    used = {int(value) for value in np.unique(labels.voxels)}
    gone = lost(labels.scheme, target, used & given)
    if gone:
        raise LabelError(f"labels {listed(gone)}", f"labels that {shown(target)} distinguishes")
    table = np.zeros(256, dtype=np.uint8)
    for name, value in labels.scheme.labels.items():
        if value in used:
            table[value] = _place(labels.scheme, target, name)
    return LabelMap(table[labels.voxels], labels.geometry, target)


@final
class Consecutive(NamedTuple):
    """A scheme whose values have no gap.

    Args:
        scheme: The new scheme.
        values: For each of its values the value of the same label before.
    """

    scheme: LabelScheme
    values: Mapping[int, int]


def consecutive(scheme: LabelScheme) -> Consecutive:
    """Number the labels of a scheme 0, 1, 2, ... in the order of their values, as nnU-Net wants them.

    Example:
        >>> consecutive(SCHEMES["brats2017"]).scheme.name, dict(consecutive(SCHEMES["brats2017"]).values)
        ('brats2023', {0: 0, 1: 1, 2: 2, 3: 4})
    """
    order = sorted(scheme.labels, key=scheme.value)
    labels = {name: number for number, name in enumerate(order)}
    values = {number: scheme.value(name) for name, number in labels.items()}
    known = next((other for other in SCHEMES.values() if dict(other.labels) == labels), None)
    name = scheme.name if labels == dict(scheme.labels) else f"{scheme.name}, consecutive"
    return Consecutive(
        known or LabelScheme(name, labels, scheme.regions, scheme.tissue, scheme.broader, scheme.colours), values
    )


def numbering(written: LabelScheme, values: Mapping[int, int], source: str | None) -> str:
    """Return a sentence on lesion labels that were numbered without gaps.

    Args:
        written: Scheme of the files that are written.
        values: For each of its values the value of the same label in the source.
        source: Name of the source's scheme.

    Example:
        >>> new = consecutive(SCHEMES["brats2017"])
        >>> numbering(new.scheme, new.values, "brats2017")
        'written as 1 necrotic_core, 2 oedema, 3 enhancing (3 is 4 in brats2017)'
    """
    names = {value: name for name, value in written.labels.items() if value}
    named = ", ".join(f"{value} {names[value]}" for value in sorted(names))
    moved = ", ".join(f"{value} is {values[value]}" for value in sorted(names) if values[value] != value)
    return f"written as {named} ({moved} in {source or 'the source'})" if moved else f"written as {named}"


def shown(scheme: LabelScheme) -> str:
    """Return a scheme's name for people, with its lesion labels where it has any.

    Example:
        >>> shown(SCHEMES["lesion"]), shown(SCHEMES["bids_tissue"])
        ('lesion (1 tumour)', 'bids_tissue')
    """
    return described(scheme) if scheme.lesion else scheme.name


def _place(own: LabelScheme, target: LabelScheme, name: str) -> int:
    """Value of a label in another scheme; 0 where it has none."""
    alone = LabelScheme(
        own.name, {"background": 0, name: own.labels[name]}, {}, tuple({name} & set(own.tissue)), own.broader
    )
    try:
        return int(alone.table_to(target)[own.labels[name]])
    except LabelError:
        return 0


def _reachable(files: LabelScheme, own: LabelScheme) -> bool:
    """Whether maps that came from files of a scheme go back to it; false where they never could have come from it."""
    try:
        used = {int(files.table_to(own)[value]) for value in files.labels.values()}
    except LabelError:
        return False
    return not lost(own, files, used)


def _values(ref: CaseRef) -> tuple[str, set[int]]:
    """Id of a case and the values in its map."""
    return ref.case_id, {int(value) for value in np.unique(ref.load().require_labels().voxels)}
