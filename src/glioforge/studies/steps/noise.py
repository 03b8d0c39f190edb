"""Make slices without label maps whose answer is known: of noise, by samplers trained on the training subjects.

A slice's answer is what its sampler was asked for, or what all slices show that it was trained on; it is written among
the facts of the case.
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from glioforge.classification import ASKED_TUMOUR, GRADES, Target, grade_of, require_grades
from glioforge.core import CaseRef, Cohort, Geometry, stream_seed
from glioforge.data import CASES, placed_on, write_case
from glioforge.io import write_cohort
from glioforge.sampling import load_sampler, sample_cohort
from glioforge.studies import Context, Record
from glioforge.studies.steps.synthesize import MADE
from glioforge.studies.steps.train import MODEL, sampler_record

DRAWN: Final = "drawn"
"""Folder of the slices as they were sampled, below that of a task."""
ANSWERS: Final[dict[Target, tuple[str, ...]]] = {"tumour": ("present", "absent"), "grade": tuple(GRADES)}
"""What slices are made for."""


def samplers_of(sampler: Any, target: Target) -> dict[str, Any]:  # noqa: ANN401 - any registered spec
    """Return the settings of the samplers that a source trains, by the answer of their slices.

    One that can be asked for tumour gives slices of both answers, and is named by the empty text.

    Args:
        sampler: Settings of a sampler of slices with tumour and without.
        target: What classifiers are asked.
    """
    asked = "tumour" in getattr(sampler, "conditions", ())
    if target == "grade":
        one = sampler if asked else sampler.model_copy(update={"tumour": "with"})
        return dict.fromkeys(ANSWERS["grade"], one)
    if asked:
        return {"": sampler}
    shown = {"present": "with", "absent": "without"}
    return {answer: sampler.model_copy(update={"tumour": shown[answer]}) for answer in ANSWERS["tumour"]}


def fit_class_sampler(context: Context, *, sampler: Any, target: Target, answer: str, seed: int) -> Record:  # noqa: ANN401 - any registered spec
    """Train a sampler on the training subjects of one answer.

    Args:
        context: The task; reads the side train.
        sampler: Settings, with the budget.
        target: What classifiers are asked.
        answer: Grade of the subjects it is trained on, where grades are asked for.
        seed: Seed of the training.

    Raises:
        CohortError: There is no training subject of one of both grades, or no slice to learn from.
    """
    train = context.cohort("train")
    if target == "grade":
        require_grades(train, "training")
        train = train.select([ref.case_id for ref in train if grade_of(ref) == GRADES[answer]], train.name)
    return sampler_record(context, sampler, seed, train, None, answer=answer)


def make_slices(context: Context, *, source: str, target: Target, count: int, seed: int) -> Record:
    """Draw slices of each answer, on the grid of the training cases' axial slices.

    Args:
        context: The task; reads the side train, and needs trained samplers.
        source: Name of the cohort.
        target: What classifiers are asked.
        count: Slices of each answer.
        seed: Seed of the draws.
    """
    train = context.cohort("train")
    like = axial_slice(train.cases[0].load().geometry)
    models = {record.made["answer"]: record.task for record in context.needs.values() if record.kind == "sampler"}
    refs: list[CaseRef] = []
    for answer in ANSWERS[target]:
        place = context.task.fold.study.root / models.get(answer, models.get("", ""))
        sampler = load_sampler(place / MODEL, context.accelerator)
        if "tumour" in sampler.conditions:
            sampler = sampler.asked({"tumour": answer if target == "tumour" else "present"})
        own, folder = stream_seed(seed, answer), context.folder / DRAWN / answer
        for ref in sample_cohort(sampler, count, folder, seed=own, progress=context.progress):
            name, case = f"{answer.lower()}-{ref.case_id}", placed_on(ref.load(), like)
            facts = {**case.facts, ASKED_TUMOUR if target == "tumour" else "grade": answer}
            known = replace(case, case_id=name, subject_id=f"synthetic-{name}", facts=facts)
            refs.append(write_case(context.folder / MADE / CASES, known))
    made = Cohort(source, tuple(refs), train.scheme)
    write_cohort(made, context.folder / MADE)
    return context.record(made={"cohort": made.fingerprint}, details={"made": len(made)})


def axial_slice(grid: Geometry) -> Geometry:
    """Return the grid of the middle axial slice.

    Example:
        >>> axial_slice(Geometry.isotropic((64, 48, 32), 2.0)).shape
        (64, 48, 1)
    """
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.world_of((0.0, 0.0, float(grid.shape[2] // 2)))
    return Geometry((grid.shape[0], grid.shape[1], 1), affine)
