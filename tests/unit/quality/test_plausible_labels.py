"""The filter on label maps."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.errors import CaseError, CohortError
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.schemes import COMPLETE
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.plausible_labels import PlausibleLabelsSpec, label_facts
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_labels

TRAIN = toy_cohort(range(8))
FITTED = fit_filter(PlausibleLabelsSpec(), TRAIN, seed=0)


def changed(change, seed=40):
    """A case whose labels were changed, judged."""
    case = toy_case(seed)
    voxels = case.labels.voxels.copy()
    change(voxels)
    return FITTED.assess(with_labels(replace(case, brain=None), voxels))


def test_real_cases_pass():
    """Training and unseen real cases keep every rule."""
    verdicts = [FITTED.assess(toy_case(seed)) for seed in (*range(8), *range(40, 50))]

    assert all(v.keep for v in verdicts)
    assert {v.reason for v in verdicts} == {"the label map keeps every rule of the real cases"}


def test_a_torn_off_piece_of_brain_is_told():
    """Brain away from the brain is named with its share."""
    verdict = changed(lambda v: v.__setitem__((slice(0, 3), slice(0, 3), slice(0, 3)), 4))

    assert not verdict.keep
    assert "of the brain lies apart from it (limit 2.0%)" in verdict.reason


def test_core_without_oedema_is_told():
    """Enhancing tumour far from the tumour is named."""
    verdict = changed(lambda v: v.__setitem__((slice(3, 6), slice(5, 8), slice(4, 7)), 3))

    assert "of the tumour core lies apart from the rest of the tumour" in verdict.reason


def test_lesion_outside_the_brain_is_told():
    """Lesion voxels outside the brain mask are named."""
    case = toy_case(40)
    voxels = case.labels.voxels.copy()
    voxels[0:4, 0:4, 0:4] = 2

    assert "of the lesion lies outside the brain" in FITTED.assess(with_labels(case, voxels)).reason


def test_missing_classes_are_told():
    """A class that every real case has is named when it is gone."""
    verdict = changed(lambda v: np.place(v, v == 6, 4))

    assert verdict.reason == "csf missing, which every real case has"
    assert verdict.score == 1


def test_a_lesion_too_large_and_one_too_small_are_told():
    """Volumes beyond the real range by the factor are named with both limits."""
    huge = changed(lambda v: np.place(v, np.isin(v, (4, 5)) & (np.indices(v.shape)[0] > 5), 2))
    tiny = changed(lambda v: np.place(v, np.isin(v, (1, 2, 3)) & (np.indices(v.shape)[2] != 6), 4))

    assert "lesion of" in huge.reason
    assert "ml (limits " in tiny.reason


def test_a_scattered_lesion_is_told():
    """Many specks are no lesion."""

    def scatter(voxels):
        for i, k in ((3, 4), (3, 6), (5, 3), (5, 8), (7, 3)):
            voxels[i, 3, k] = 2

    assert "lesion in 6 pieces (limit 2)" in changed(scatter).reason


def test_real_cases_bend_the_rules():
    """Where a real case has a torn brain, as torn a one passes."""
    case = toy_case(9)
    voxels = case.labels.voxels.copy()
    voxels[0:3, 0:3, 0:3] = 4
    torn = with_labels(replace(case, brain=None), voxels, "torn")
    lenient = fit_filter(PlausibleLabelsSpec(), TRAIN + cohort_of_cases([torn]), seed=0)

    assert not FITTED.assess(torn).keep
    assert lenient.assess(torn).keep


def test_facts_of_an_empty_map_are_nought():
    """Shares of something absent are 0, and nothing is divided by nought."""
    case = toy_case(1)
    empty = with_labels(replace(case, brain=None), np.zeros(case.geometry.shape))
    facts = label_facts(empty, COMPLETE)

    assert (facts.lesion_ml, facts.pieces, facts.stray_brain, facts.stray_core, facts.outside) == (0, 0, 0, 0, 0)
    assert not FITTED.assess(empty).keep


def test_schemes_without_a_core_have_no_stray_core():
    """A scheme that knows no tumour core breaks no rule on it."""
    scheme = LabelScheme("plain", {"background": 0, "tumour": 1})
    case = toy_case(1)
    labels = LabelMap((case.labels.lesion).astype(np.uint8), case.geometry, scheme)

    assert label_facts(replace(case, labels=labels), scheme).stray_core == 0


def test_an_unlabelled_case_is_refused():
    """A case without labels cannot be judged by them."""
    with pytest.raises(CaseError, match="no label map"):
        FITTED.assess(replace(toy_case(1), labels=None))


def test_an_empty_cohort_sets_no_limits():
    """Limits need a real case."""
    with pytest.raises(CohortError, match="0 training subjects for filter 'plausible_labels'; expected at least 1"):
        fit_filter(PlausibleLabelsSpec(), cohort_of_cases([]), seed=0)
