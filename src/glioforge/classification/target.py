"""What a classifier is asked, and its settings: whether a slice shows tumour, or of which grade that of a subject is.

Conventions
-----------
truth   1 for yes, 0 for no, NaN where a slice or subject answers neither: slices with a trace of tumour, and
        subjects without a known grade
"""

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int64
from pydantic import Field

from glioforge.config import Spec
from glioforge.core import CaseRef, Cohort, CohortError, counted
from glioforge.data import AugmentSpec
from glioforge.training import Budget, OptimizerSpec

Target: TypeAlias = Literal["tumour", "grade"]
GRADES = {"HGG": 1.0, "LGG": 0.0}
"""Values of a case's fact `grade`."""
ASKED_TUMOUR = "asked_tumour"
"""Fact of a slice from noise: whether tumour was asked for."""
_ASKED = {"present": 1.0, "absent": 0.0}


def grade_of(ref: CaseRef) -> float:
    """Return 1 for a case of high grade, 0 for one of low grade, NaN where it is not known."""
    return GRADES.get(str(ref.facts.get("grade", "")).upper(), np.nan)


def answer_of(ref: CaseRef, target: Target) -> float:
    """Return what a case without a label map is known to answer; NaN where it is not known."""
    return grade_of(ref) if target == "grade" else _ASKED.get(str(ref.facts.get(ASKED_TUMOUR)), np.nan)


def graded_by_parents(synthetic: Cohort, real: Cohort) -> Cohort:
    """Return synthetic cases with the grade that all of their parents have; unknown where these differ.

    A lesion that was transplanted brings the grade of its donor, and its host keeps its own.  Slices from noise have no
    parents, and keep the grade that their sampler was trained on.

    Args:
        synthetic: Cases made from cases of `real`.
        real: Cases with known grades.
    """
    known = {ref.case_id: grade_of(ref) for ref in real}
    names = {value: name for name, value in GRADES.items()}
    cases = []
    for ref in synthetic:
        if not ref.lineage.parents:
            cases.append(ref)
            continue
        grades = {known[parent] for parent in ref.lineage.parents if parent in known}
        grade = names.get(grades.pop(), "") if len(grades) == 1 else ""
        cases.append(replace(ref, facts={**ref.facts, "grade": grade}))
    return replace(synthetic, cases=tuple(cases))


def shows_tumour(
    tumour_voxels: Int64[np.ndarray, "*slices"], brain_voxels: Int64[np.ndarray, "*slices"], least_share: float
) -> Float64[np.ndarray, "*slices"]:
    """Return whether slices show tumour: 0 without a voxel, 1 from a share of the brain on, NaN between.

    Example:
        >>> shows_tumour(np.array([0, 1, 9]), np.array([100, 100, 100]), 0.05).tolist()
        [0.0, nan, 1.0]
    """
    shares = tumour_voxels / np.maximum(brain_voxels, 1)
    return np.where(tumour_voxels == 0, 0.0, np.where(shares >= least_share, 1.0, np.nan))


def require_grades(cohort: Cohort, purpose: str) -> None:
    """Refuse a cohort in which one of both grades is not known of any subject.

    Args:
        cohort: Cases.
        purpose: What they are for, for the message: `training`, `testing`.

    Raises:
        CohortError: Says how many subjects of each grade there are.
    """
    known = {name: {ref.subject_id for ref in cohort if grade_of(ref) == value} for name, value in GRADES.items()}
    if not all(known.values()):
        counts = ", ".join(f"{name}: {counted(len(subjects), 'subject')}" for name, subjects in known.items())
        raise CohortError(
            f"grades for {purpose}: {counts}",
            "subjects of both grades",
            "give grades in the data set's table or the cases' facts, or ask `target: tumour`",
            cohort.where,
        )


class ClassifierSpec(Spec):
    """A residual network on axial slices; the same for every arm of a study."""

    widths: tuple[int, ...] = (16, 32, 64, 128)
    """Channels of each stage."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the pooled features dropped in training."""
    batch_size: int = Field(16, ge=2)
    """Slices in a batch."""
    least_share: float = Field(0.01, gt=0, lt=1)
    """Share of a slice's brain from which on tumour counts as seen; slices with less, but some, answer neither."""
    augment: AugmentSpec | None = AugmentSpec()
    """Classical augmentation."""
    optimizer: OptimizerSpec = OptimizerSpec(method="adamw", learning_rate=1e-3, weight_decay=1e-2, schedule="cosine")
    """Optimiser and schedule."""
    ema: float | None = 0.98
    """Decay of the average of the weights that is validated and kept; none keeps the weights themselves."""
    budget: Budget = Budget(steps=400, validate_every=100)
    """Length of the training."""
