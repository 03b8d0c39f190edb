"""From cohorts to the evidence of an audit: pictures, donors, attributes and planted copies as arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from glioforge.compute import ParallelSpec
from glioforge.core import CaseRef, Cohort, CohortError, Modality, Progress, in_standard_order, stream
from glioforge.metrics import Group, TwoSample
from glioforge.privacy import (
    DISGUISES,
    Attribute,
    AuditSpec,
    Evidence,
    Field,
    Sides,
    compare,
    compared_sets,
    nearness_of,
    points_of,
)
from glioforge.runs.audit_cases import BRAIN, LESION, Planted, Sighted, planted, sighted
from glioforge.runs.fidelity_numbers import DESCRIBED

ANATOMY: Final = 30
"""Components of the contrast that an attacker knows of a target."""
_FEATURES: Final = 10
"""Components in which sets of subjects are compared."""
_KNOWN: Final = 0.8
"""Share of cases that must have a fact for it to be an attribute."""


@final
@dataclass(frozen=True, eq=False)
class Gathered:
    """The evidence, and what pages need to name it.

    Args:
        evidence: What attacks look at.
        made: Synthetic cases in the order of the evidence.
        people: Cases of training, held-out and control subjects, the first of each subject.
        modalities: Contrasts.
        sets: Whether the three sets can be told apart.
    """

    evidence: Evidence
    made: tuple[CaseRef, ...]
    people: tuple[CaseRef, ...]
    modalities: tuple[Modality, ...]
    sets: Mapping[str, TwoSample]


def gather(
    cohorts: tuple[Cohort, Cohort, Cohort, Cohort],
    out: Path,
    spec: AuditSpec,
    *,
    model: Mapping[str, Mapping[str, float]],
    parallel: ParallelSpec | None,
    progress: Progress,
) -> Gathered:
    """Describe all cases and compare them.

    Args:
        cohorts: Synthetic, training, held-out and control cases.
        out: Folder in which descriptions are kept.
        spec: Settings.
        model: Scores of the model by attack and subject.
        parallel: How cases are spread over processes.
        progress: Where to show progress.

    Raises:
        CohortError: The cohorts have no contrast in common, or a subject has no score of the model.
    """
    synthetic, *real = cohorts
    shared = set.intersection(*(set(cohort.modalities) for cohort in cohorts))
    if not shared:
        raise CohortError("cohorts without a common contrast", "at least one", "prepare all with the same contrasts")
    modalities = in_standard_order(shared)
    firsts = [cohort.first_cases for cohort in real]
    sides, people = Sides(*map(len, firsts)), tuple(ref for side in firsts for ref in side)
    folder = out / DESCRIBED
    folder.mkdir(parents=True, exist_ok=True)
    made = sighted(synthetic.cases, modalities, folder, title="synthetic cases", parallel=parallel, progress=progress)
    seen = sighted(people, modalities, folder, title="real cases", parallel=parallel, progress=progress)
    copies, sources = _copies(firsts[0], firsts[2], spec)
    shown = planted(copies, modalities, folder, parallel=parallel, progress=progress)
    progress.say("comparing all cases")
    near = nearness_of(compare(_fields((made, seen, shown), modalities), sides), sides)
    coarse, others = (np.stack([one.coarse for one in side]) for side in (made, seen))
    size = np.log(np.maximum([one.volume_ml for one in seen], 0.1))
    evidence = Evidence(
        sides,
        near.made,
        near.labels,
        near.planted,
        near.people,
        near.by_view,
        tuple(copy.kind for copy in copies),
        sources,
        *points_of(coarse, others),
        donors_of(synthetic, firsts[0], near.labels if near.labels.shape[1] else near.made),
        *points_of(coarse[:, :1], others[:, :1], ANATOMY),
        attributes_of((made, synthetic.cases), (seen, people)),
        size,
        _codes([str(ref.facts.get("site", "")) for ref in people]),
        _scores(model, firsts, sides),
    )
    features = points_of(others, others, _FEATURES)[0]
    places = {"training": sides.members, "held-out": sides.others}
    places["control"] = slice(sides.reference.start, sides.strangers.stop)
    sets = compared_sets(features, places, [ref.subject_id for ref in people], spec.seed)
    return Gathered(evidence, synthetic.cases, people, modalities, sets)


def donors_of(synthetic: Cohort, training: Sequence[CaseRef], near: np.ndarray) -> np.ndarray:
    """Return the place of the training subject whose label map each synthetic case was made from; -1 for none.

    Of several parents the nearest is taken, which can only raise the linkage.

    Args:
        synthetic: Synthetic cases, whose lineage names parents by case id or subject, and the host and the lesion's
            donor of a drawn label map among its edits.
        training: Training cases in the order of the evidence.
        near: Nearness of cases to people.
    """
    places = {ref.case_id: n for n, ref in enumerate(training)} | {ref.subject_id: n for n, ref in enumerate(training)}
    found = np.full(len(synthetic), -1, dtype=np.int64)
    for n, ref in enumerate(synthetic):
        drawn = [edit.get(part) for edit in ref.lineage.edits for part in ("host", "donor")]
        parents = [places[parent] for parent in (*ref.lineage.parents, *drawn) if parent in places]
        if parents:
            found[n] = max(parents, key=lambda place: near[n, place])
    return found


def attributes_of(
    made: tuple[Sequence[Sighted], Sequence[CaseRef]], people: tuple[Sequence[Sighted], Sequence[CaseRef]]
) -> tuple[Attribute, ...]:
    """Return what a release may disclose: volume, side and mask of the tumour, and its grade where facts name it."""
    values: dict[str, Callable[[Sighted], Any]] = {
        "tumour volume": lambda one: [np.log(max(one.volume_ml, 0.1))],
        "tumour side": lambda one: [float(one.right > 0.5)],
        "tumour mask": lambda one: one.mask,
    }
    found = [
        Attribute(name, *(np.array([value(one) for one in side[0]], dtype=np.float64) for side in (made, people)))
        for name, value in values.items()
    ]
    grades = [[str(ref.facts.get("grade", "")) for ref in side[1]] for side in (made, people)]
    classes = sorted({grade for side in grades for grade in side} - {""})
    if len(classes) > 1 and all(np.mean([grade != "" for grade in side]) >= _KNOWN for side in grades):
        columns = [np.array([[g == c if g else np.nan for c in classes] for g in side], float) for side in grades]
        found.append(Attribute("grade", np.nan_to_num(columns[0], nan=1 / len(classes)), columns[1]))
    return tuple(found)


def _copies(
    training: Sequence[CaseRef], control: Sequence[CaseRef], spec: AuditSpec
) -> tuple[list[Planted], np.ndarray]:
    """Planted copies of training subjects drawn at random, with control subjects as hosts."""
    rng = stream(spec.seed, "audit", "planted")
    copies, sources = [], []
    for kind in DISGUISES:
        for number in range(spec.planted):
            source, host = int(rng.integers(len(training))), int(rng.integers(len(control)))
            copies.append(Planted(kind, training[source], control[host], spec.seed + number))
            sources.append(source)
    return copies, np.array(sources, dtype=np.int64)


def _fields(sides: tuple[Sequence[Sighted], ...], modalities: tuple[Modality, ...]) -> list[Field]:
    """Brain and lesion crop as fields, the brain cut to a box that holds it."""
    used = np.zeros(BRAIN, bool)
    for one in sides[1]:
        used |= one.brain.any(axis=0)
    box = _around_the_middle(used)
    shape = tuple(part.stop - part.start for part in box)
    contrasts = len(modalities)
    tissue = max(len(one.brain) for one in sides[1]) - contrasts
    fields = []
    for name, grid, extra in (("brain", shape, tissue), ("lesion", LESION, 1)):
        groups = [Group("joint", tuple(range(contrasts)))]
        if contrasts > 1:
            groups += [Group(modality.title, (n,)) for n, modality in enumerate(modalities)]
            groups.append(Group("other contrast", tuple(range(contrasts)), crossed=True))
        if extra:
            groups.append(Group("labels", tuple(range(contrasts, contrasts + extra))))
        count = contrasts + extra
        sets = [_stacked(side, name, count, box) for side in sides]
        fields.append(Field(name, grid, tuple(groups), *sets))
    return fields


def _around_the_middle(used: np.ndarray) -> tuple[slice, ...]:
    """The smallest box of cells that holds all that are used and has the grid's middle, about which the orbit turns."""
    margins = [
        min(int(n.min(initial=0)), size - 1 - int(n.max(initial=0)))
        for n, size in zip(np.nonzero(used), used.shape, strict=True)
    ]
    return tuple(slice(margin, size - margin) for margin, size in zip(margins, used.shape, strict=True))


def _stacked(side: Sequence[Sighted], name: str, channels: int, box: tuple[slice, ...]) -> np.ndarray:
    """Pictures of one part, `(case, channel, cell)` in half precision; labels that a case lacks are empty."""
    pictures = []
    for one in side:
        picture = one.brain[(slice(None), *box)] if name == "brain" else one.lesion
        flat = picture.reshape(len(picture), -1)
        pictures.append(np.concatenate([flat, np.zeros((channels - len(flat), flat.shape[1]), flat.dtype)]))
    return np.stack(pictures)


def _codes(names: Sequence[str]) -> np.ndarray:
    """Names as integers."""
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)


def _scores(
    model: Mapping[str, Mapping[str, float]], firsts: Sequence[Sequence[CaseRef]], sides: Sides
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Scores of the model in the order of the evidence, control subjects by their second half."""
    found = {}
    for kind, scores in model.items():
        missing = [ref.subject_id for side in firsts for ref in side if ref.subject_id not in scores]
        if missing:
            raise CohortError(
                f"no score {kind!r} of {len(missing)} subjects, such as {missing[0]!r}", "a score of every subject"
            )
        values = [np.array([scores[ref.subject_id] for ref in side], dtype=np.float64) for side in firsts]
        found[kind] = (values[0], values[1], values[2][sides.control // 2 :])
    return found
