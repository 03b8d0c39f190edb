"""Train a classifier of an arm, and ask it about unseen subjects."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from glioforge.classification import (
    WEIGHTS,
    Answers,
    ClassifierSpec,
    Target,
    asked,
    auc,
    graded_by_parents,
    load_classifier,
    require_grades,
    train_classifier,
)
from glioforge.core import Cohort, Modality
from glioforge.io import hash_of_file
from glioforge.segmentation import Mix
from glioforge.statistics import resampled
from glioforge.studies import Context, Record, Training, cohort_in
from glioforge.studies.steps.synthesize import MADE

MODEL: Final = "model"
"""Folder of the model below that of a task."""


def fit_classifier(
    context: Context, *, classifier: ClassifierSpec, target: Target, seed: int, share: float, source: str | None = None
) -> Record:
    """Train a classifier.

    Args:
        context: The task; reads the sides train and validation, and may need synthetic cases with their screening.
        classifier: Settings, with the budget.
        target: What is asked.
        seed: Seed of the training.
        share: Share of synthetic slices in every batch.
        source: Name of the source; none for real cases alone.
    """
    screened = context.need("synthetic")
    if screened is not None and not screened.made["kept"]:
        return context.record(left_out=f"no case of the {screened.arm} passed the quality check")
    real, validation = context.cohort("train"), context.cohort("validation")
    synthetic = None if source is None else _screened(context, real)
    mix = Mix(real, synthetic, share)
    network, outcome = train_classifier(
        mix,
        validation,
        classifier,
        target,
        context.folder / MODEL,
        seed=seed,
        accelerator=context.accelerator,
        progress=context.progress,
    )
    parameters = sum(weight.numel() for weight in network.parameters())
    # The hash tells trainings apart: what scores them is kept under what they made.
    made = {
        "modalities": [str(modality) for modality in mix.modalities(None, validation)],
        "weights": hash_of_file(context.folder / MODEL / WEIGHTS),
    }
    return context.record(training=Training.of(parameters, outcome), made=made)


def score_classifier(context: Context, *, classifier: ClassifierSpec, target: Target, seed: int) -> Record:
    """Ask a classifier about unseen subjects: AUC of each one's slices, or AUC of their grades; needs a classifier.

    Args:
        context: The task; reads the test side.
        classifier: Settings.
        target: What is asked.
        seed: Of the resamples of subjects, the same for all arms.
    """
    trained = context.need("classifier")
    names = [] if trained is None else trained.made["modalities"]
    modalities = tuple(Modality(name) for name in names)
    network = load_classifier(context.place("classifier") / MODEL, modalities, classifier)
    test = context.cohort("test")
    if target == "grade":
        require_grades(test, "testing")
    found = list(asked(network, test, modalities, classifier, target))
    return context.record(_grade_rows(found, seed) if target == "grade" else _slice_rows(found))


def _screened(context: Context, real: Cohort) -> Cohort:
    """Synthetic cases that passed the filters, with the grades of their parents."""
    screened = context.need("synthetic")
    kept: Sequence[str] = () if screened is None else screened.made["kept"]
    made = cohort_in(context.place("cases") / MADE)
    return graded_by_parents(made.select(sorted(kept), "synthetic"), real)


def _slice_rows(found: Sequence[Answers]) -> list[dict[str, Any]]:
    """AUC of the slices of each case; a case whose slices are all alike has none."""
    rows = []
    for answers in found:
        value = auc(answers.truth, answers.probability)
        note = "" if np.isfinite(value) else "all slices that were asked have one answer"
        known = {"case_id": answers.ref.case_id, "subject_id": answers.ref.subject_id, "region": ""}
        rows.append({**known, "metric": "slice_auc", "value": value, "unit": "1", "note": note})
    return rows


def _grade_rows(found: Sequence[Answers], seed: int) -> list[dict[str, Any]]:
    """AUC over subjects, and over resamples of them; cases of a subject are averaged."""
    by_subject: dict[str, list[tuple[float, float]]] = {}
    for answers in found:
        if np.isfinite(answers.truth[0]):
            pair = (float(answers.truth[0]), float(answers.probability[0]))
            by_subject.setdefault(answers.ref.subject_id, []).append(pair)
    means = {subject: np.mean(pairs, axis=0) for subject, pairs in by_subject.items()}

    def measured(subjects: Sequence[str]) -> float:
        truth, probability = np.array([means[subject] for subject in subjects]).T
        return auc(truth, probability)

    values = resampled(tuple(means), measured, seed=seed)
    known = {"case_id": "", "subject_id": "", "region": "", "metric": "grade_auc", "unit": "1"}
    # A resample of one grade alone has no AUC and says nothing about the spread of those that have.
    return [{**known, "value": value, "sample": name} for name, value in values.items() if np.isfinite(value)]
