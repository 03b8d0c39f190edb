"""The filter by a frozen segmenter."""

from dataclasses import replace

import numpy as np
import pytest

from fixtures_filters import ToySegmenter
from glioforge.core import CohortError, LabelError, SpecError
from glioforge.quality.base import check_cohort, fit_filter
from glioforge.quality.filters.duplicate import DuplicateSpec
from glioforge.quality.filters.segmenter_agreement import SegmenterAgreementSpec
from toy_cohort import toy_case, toy_cohort, with_labels

TRAIN = toy_cohort(range(20))
MODELS = {"segmenter": ToySegmenter()}


def test_images_of_another_lesion_are_refused():
    """A lesion that the images do not show is missed by the segmenter; real cases pass."""
    fitted = fit_filter(SegmenterAgreementSpec(), TRAIN, models=MODELS, seed=0)
    kept, moved = [], []
    for seed in range(50, 70):
        case = toy_case(seed)
        voxels = np.where(case.labels.lesion, 4, case.labels.voxels)
        lesion = np.roll(np.where(case.labels.lesion, case.labels.voxels, 0), -5, axis=0)
        kept.append(fitted.assess(case).keep)
        moved.append(fitted.assess(with_labels(case, np.where(lesion > 0, lesion, voxels))).keep)

    assert sum(kept) >= 17
    assert sum(moved) <= 1
    assert "someone else" in fitted.subjects
    assert "Dice of segmenter and label map: WT" in fitted.assess(toy_case(50)).reason


def test_limits_come_from_subjects_the_segmenter_has_not_seen():
    """Too few of them are refused; so is a filter without a segmenter, or without a common region."""
    seen = replace(ToySegmenter.lineage, subjects=tuple(TRAIN.subject_ids[:-2]))
    known = type("Seen", (ToySegmenter,), {"lineage": seen})()
    with pytest.raises(CohortError, match="2 subjects that the segmenter has not seen"):
        fit_filter(SegmenterAgreementSpec(), TRAIN, models={"segmenter": known}, seed=0)
    with pytest.raises(SpecError, match="a trained segmenter"):
        fit_filter(SegmenterAgreementSpec(), TRAIN, seed=0)
    with pytest.raises(LabelError, match="a common region among cyst"):
        fit_filter(SegmenterAgreementSpec(regions=("cyst",)), TRAIN, models=MODELS, seed=0)


def test_missing_models_are_said_before_any_filter_is_fitted(monkeypatch):
    """A long fit of an earlier filter is not lost, and the option that gives the model is named."""
    fitted = []
    monkeypatch.setattr("glioforge.quality.base.fit_filter", lambda spec, *_, **__: fitted.append(spec))
    specs = [DuplicateSpec(), SegmenterAgreementSpec()]
    with pytest.raises(SpecError, match=r"give it \(--model segmenter=FOLDER\), or leave it out"):
        check_cohort(TRAIN, TRAIN, specs, seed=0)
    assert fitted == []


def test_a_lesion_that_neither_has_agrees():
    """Two empty regions agree fully."""
    case = toy_case(50)
    bare = with_labels(case, np.where(case.labels.lesion, 4, case.labels.voxels))
    silent = type("Silent", (ToySegmenter,), {"segment": lambda _, case: case.labels})()
    fitted = fit_filter(SegmenterAgreementSpec(), TRAIN, models={"segmenter": silent}, seed=0)

    assert fitted.assess(bare).score == 0
