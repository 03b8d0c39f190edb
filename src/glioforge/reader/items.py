"""Which items a study shows: balanced over methods and contrasts, one of a subject where that is asked for, by a seed.

The rule that picks a slice is the same for real and synthetic cases: where all cases have labels, the slice with most
tumour, and further ones of the same case anywhere in the middle of the brain; without labels, only the latter.
Cases that are a single slice are shown once, before any is shown again.
Real subjects who had no part in a synthetic case come first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, cycle, islice
from typing import Final, final

import numpy as np

from glioforge.core import CohortError, Modality, stream
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.stimulus import Survey

REAL: Final = "real"
POOLED: Final = "pooled"
"""Contrast of an image whose contrast is not stated."""
_SLICES: Final = 8
"""Slices of a volume that may be shown, at least."""
_MIDDLE: Final = 0.6
"""Slices with at least this share of the largest brain area may be shown."""

Contrasts = tuple[Modality, ...]
Pool = Mapping[str, Sequence[Survey]]
"""Cases by source, which is `real` or the name of a method."""


@final
@dataclass(frozen=True)
class Stimulus:
    """What one panel shows.

    Args:
        case: The case.
        contrasts: MRI contrasts.
        index: Axial slice within the box of the brain; none for a stack or a volume.
    """

    case: Survey
    contrasts: Contrasts
    index: int | None


@final
@dataclass(frozen=True)
class Item:
    """One question.

    Args:
        key: Its name in tables, which readers never see.
        stimuli: What is shown; of pairs, that of `method` and then that of `other`.
        method: Source of the first stimulus.
        other: Source of the second; empty for single items.
        pooled: Whether the contrast of its image is not stated.
    """

    key: str
    stimuli: tuple[Stimulus, ...]
    method: str
    other: str = ""
    pooled: bool = False

    @property
    def contrast(self) -> str:
        """Names of the MRI contrasts, joined by `+`; `pooled` where the contrast of an image is not stated."""
        return POOLED if self.pooled else "+".join(self.stimuli[0].contrasts)

    @property
    def subject(self) -> str:
        """Subject of the item: of a pair with a real one, that of the real one."""
        real = [s for s, name in zip(self.stimuli, (self.method, self.other), strict=False) if name == REAL]
        return (real or self.stimuli)[0].case.ref.subject_id


def choose_items(spec: ReaderSpec, pool: Pool, contrasts: Contrasts) -> tuple[Item, ...]:
    """Choose the items of a study, in an order that says nothing.

    Args:
        spec: The study.
        pool: Cases by source; `real` may be missing where the study has no real items.
        contrasts: MRI contrasts that every case has.

    Raises:
        CohortError: There are not enough subjects, no synthetic cases, or no label map that two sources share.
    """
    groups = [(m,) for m in contrasts] if spec.per_contrast and not spec.together else [contrasts]
    chosen = [found for group in groups for found in _of_group(spec, pool, group)]
    order = stream(spec.seed, "items").permutation(len(chosen))
    digits = max(3, len(str(len(chosen))))
    return tuple(Item(f"item{n:0{digits}}", *chosen[int(place)], spec.pooled) for n, place in enumerate(order, start=1))


Chosen = tuple[tuple[Stimulus, ...], str, str]


def _of_group(spec: ReaderSpec, pool: Pool, contrasts: Contrasts) -> Iterator[Chosen]:
    """Items over some contrasts."""
    methods = [name for name in pool if name != REAL]
    if spec.kind == "preference":
        yield from _preferences(spec, pool, contrasts)
    elif spec.kind == "choice":
        yield from _choices(spec, pool, contrasts)
    else:
        if spec.real:
            yield from _singles(spec, pool, REAL, spec.real, contrasts)
        for method, count in zip(methods, shares(spec.synthetic, len(methods)), strict=True):
            yield from _singles(spec, pool, method, count, contrasts)


def shares(total: int, parts: int) -> list[int]:
    """Divide a number as evenly as whole numbers allow; none for no parts.

    Example:
        >>> shares(10, 3)
        [4, 3, 3]
    """
    return [total // parts + (n < total % parts) for n in range(parts)]


def _singles(spec: ReaderSpec, pool: Pool, source: str, count: int, contrasts: Contrasts) -> Iterator[Chosen]:
    """Items that show one stimulus."""
    for stimulus in _stimuli(spec, pool, source, count, contrasts):
        yield (stimulus,), source, ""


def _stimuli(spec: ReaderSpec, pool: Pool, source: str, count: int, contrasts: Contrasts) -> Iterator[Stimulus]:
    """Stimuli of one source: subjects in random order, cases and contrasts in turn, slices by the rule of the study."""
    cases = pool.get(source, ())
    rng = stream(spec.seed, "stimuli", source, *map(str, contrasts))
    subjects = sorted({one.ref.subject_id for one in cases})
    order = [subjects[int(n)] for n in rng.permutation(len(subjects))]
    if source == REAL:
        seen_by_methods = _subjects_behind(pool)
        order.sort(key=lambda subject: subject in seen_by_methods)
    distinct = {one.ref.case_id: _distinct(spec, contrasts, one) for one in cases}
    most = len(subjects) if spec.one_per_subject else sum(distinct.values())
    if count > most:
        remedy = "ask for fewer items" + (
            ", or allow several of a subject: one_per_subject=false" * spec.one_per_subject
        )
        raise CohortError(
            f"{len(subjects)} subjects and {len(cases)} cases of {source}", f"enough for {count} items", remedy
        )
    slots = [contrasts] if spec.together else [(m,) for m in contrasts]
    turn = cycle([slots[int(n)] for n in rng.permutation(len(slots))])
    labelled = all(one.lesion is not None for of_source in pool.values() for one in of_source)
    used: dict[str, list[tuple[Contrasts, int | None]]] = {}
    for number, case in enumerate(islice(_in_turn(cases, order, distinct, rng), count)):
        shown = tuple(case.ref.modalities) if spec.pooled else next(turn)
        seen = used.setdefault(case.ref.case_id, [])
        without = spec.kind == "diagnosis" and number % 2 == 1
        index = _slice(case, seen, rng, labelled=labelled, without=without) if spec.show == "slice" else None
        seen.append((shown, index))
        yield Stimulus(case, shown, index)


def _subjects_behind(pool: Pool) -> set[str]:
    """Subjects who had a part in any synthetic case."""
    made = (one for source, cases in pool.items() if source != REAL for one in cases)
    return {subject for one in made for subject in one.ref.lineage.subjects}


def _in_turn(
    cases: Sequence[Survey], order: Sequence[str], distinct: Mapping[str, int], rng: np.random.Generator
) -> Iterator[Survey]:
    """Cases of subjects in turn, those of a subject from a random one on, each as often as it has different stimuli."""
    own = {subject: [one for one in cases if one.ref.subject_id == subject] for subject in order}
    first = {subject: int(rng.integers(len(own[subject]))) for subject in order}
    left = {subject: sum(distinct[one.ref.case_id] for one in own[subject]) for subject in order}
    for visit in range(max(left.values(), default=0)):
        for subject in order:
            if visit < left[subject]:
                yield own[subject][(first[subject] + visit) % len(own[subject])]


def _distinct(spec: ReaderSpec, contrasts: Contrasts, case: Survey) -> int:
    """Number of different stimuli of a case, at the least."""
    slices = 1 if spec.show != "slice" or len(case.brain) == 1 else _SLICES
    return slices * (1 if spec.together or spec.pooled else len(contrasts))


def _slice(
    case: Survey,
    seen: Sequence[tuple[Contrasts, int | None]],
    rng: np.random.Generator,
    *,
    labelled: bool,
    without: bool,
) -> int:
    """Choose a slice of a case, not one that was shown before; `without` asks for one without tumour, if there is."""
    middle = case.brain >= _MIDDLE * case.brain.max()
    if labelled and case.lesion is not None:
        if without and (middle & (case.lesion == 0)).any():
            middle &= case.lesion == 0
        elif not seen and case.lesion.any():
            return int(case.lesion.argmax())
    shown = [index for _, index in seen]
    free = [int(k) for k in np.flatnonzero(middle) if int(k) not in shown] or [int(case.brain.argmax())]
    return free[int(rng.integers(len(free)))]


def _choices(spec: ReaderSpec, pool: Pool, contrasts: Contrasts) -> Iterator[Chosen]:
    """Pairs of a synthetic and a real stimulus of the same contrasts."""
    methods = [name for name in pool if name != REAL]
    real = list(_stimuli(spec, pool, REAL, spec.real, contrasts))
    for method, count in zip(methods, shares(spec.real, len(methods)), strict=True):
        for made in _stimuli(spec, pool, method, count, contrasts):
            alike = [one for one in real if one.contrasts == made.contrasts] or real
            other = next((s for s in alike if s.case.ref.subject_id != made.case.ref.subject_id), alike[0])
            real.remove(other)
            if other.contrasts != made.contrasts:
                made = Stimulus(made.case, other.contrasts, made.index)  # noqa: PLW2901 - the same case, as the real one
            yield (made, other), method, REAL


def _preferences(spec: ReaderSpec, pool: Pool, contrasts: Contrasts) -> Iterator[Chosen]:
    """Pairs of sources for one label map; every pair of sources equally often."""
    pairs = list(combinations(sorted(pool), 2))
    rng = stream(spec.seed, "preferences", *map(str, contrasts))
    slots = cycle([contrasts] if spec.together else [(m,) for m in contrasts])
    for (method, other), count in zip(pairs, shares(spec.real, len(pairs)), strict=True):
        both = _shared_maps(pool[method], pool[other])
        subjects = {one.ref.subject_id for one, _ in both}
        if count > (len(subjects) if spec.one_per_subject else len(both)):
            raise CohortError(
                f"{len(both)} label maps of {len(subjects)} subjects that {method} and {other} share",
                f"enough for {count} pairs",
                "make images of the same label maps with both methods, or ask for fewer pairs",
            )
        order = [both[int(n)] for n in rng.permutation(len(both))]
        taken: set[str] = set()
        for first, second in order:
            if len(taken) == count or (spec.one_per_subject and first.ref.subject_id in taken):
                continue
            taken.add(first.ref.subject_id if spec.one_per_subject else first.ref.case_id)
            index = None
            if spec.show == "slice":
                index = _slice(first, (), rng, labelled=first.lesion is not None, without=False)
            shown = next(slots)
            moved = None if index is None else index + first.start[2] - second.start[2]
            yield (Stimulus(first, shown, index), Stimulus(second, shown, moved)), method, other


def _shared_maps(ones: Sequence[Survey], others: Sequence[Survey]) -> list[tuple[Survey, Survey]]:
    """Cases of two sources that show one label map on one grid, sorted by name."""
    found = []
    for one in sorted(ones, key=lambda known: known.ref.case_id):
        for other in others:
            if _same_map(one, other):
                found.append((one, other))
                break
    return found


def _same_map(one: Survey, other: Survey) -> bool:
    """Whether two cases were made from one label map, or one of them from the other's."""
    a, b = one.ref, other.ref
    if a.lineage.is_synthetic and b.lineage.is_synthetic:
        return a.case_id == b.case_id
    return a.case_id in b.lineage.parents or b.case_id in a.lineage.parents
