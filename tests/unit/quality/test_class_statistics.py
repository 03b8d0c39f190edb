"""The filter on intensities of classes."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.errors import CaseError, CohortError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.class_statistics import ClassStatisticsSpec
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images, with_labels

TRAIN = toy_cohort(range(15))


def fitted(**values):
    """The filter on the toy cohort."""
    return fit_filter(ClassStatisticsSpec(**values), TRAIN, seed=0)


def test_unseen_real_cases_mostly_pass():
    """The limit lets at least four in five unseen real cases through."""
    verdicts = [fitted(refused_share=0.1).assess(toy_case(seed)) for seed in range(40, 80)]

    assert np.mean([v.keep for v in verdicts]) >= 0.8


def test_dark_oedema_is_named():
    """A wrong class is refused, with class, contrast and numbers in the reason."""
    case = toy_case(50)
    oedema = case.labels.region("oedema")
    verdict = fitted().assess(with_images(case, lambda v: np.where(oedema, -2, v)))

    assert not verdict.keep
    assert verdict.reason.startswith("oedema in FLAIR deviates most: mean -2.00, real")
    assert verdict.reason.endswith(f"beyond the limit of {fitted().limit:.1f}")


def test_flat_texture_is_refused_by_spread_alone():
    """Classes painted with one value each fall by their spread, and pass where only means are compared."""
    case = toy_case(50)
    labels = case.labels.voxels

    def flat(voxels):
        table = np.array([voxels[labels == value].mean() for value in range(7)])
        return table[labels]

    assert "log of the spread" in fitted().assess(with_images(case, flat)).reason
    assert not fitted().assess(with_images(case, flat)).keep
    assert fitted(measures=("mean",)).assess(with_images(case, flat)).keep


def test_measured_numbers_are_those_of_numpy():
    """The centre over cases is the mean of plain class means."""
    centre = fitted().centre[0, 3, 0]
    means = []
    for ref in TRAIN:
        case = ref.load()
        means.append(case.images[Modality.T1].voxels[case.labels.region("white_matter")].mean())

    assert TRAIN.modalities[0] is Modality.T1
    assert centre == pytest.approx(np.mean(means), abs=1e-5)


def test_small_classes_are_not_judged():
    """Three odd voxels of a class decide nothing."""
    case = toy_case(50)
    voxels = np.where(case.labels.region("necrotic_core"), 3, case.labels.voxels)
    few = voxels.copy()
    few[5, 5, 3:6] = 1

    verdict = fitted(least_voxels=20).assess(with_images(with_labels(case, few), lambda v: np.where(few == 1, 5, v)))
    assert "necrotic_core" not in verdict.reason


def test_nothing_to_judge_is_refused():
    """A case without any class large enough is refused and says why."""
    geometry = Geometry.isotropic((4, 4, 4))
    zeros = np.zeros((4, 4, 4), np.float32)
    volumes = {m: replace(v, voxels=zeros, geometry=geometry) for m, v in toy_case(1).images.items()}
    empty = LabelMap(np.zeros((4, 4, 4), np.uint8), geometry, COMPLETE)
    verdict = fitted().assess(replace(toy_case(1), images=volumes, labels=empty, brain=None))

    assert not verdict.keep
    assert verdict.score == float("inf")
    assert verdict.reason == "no class has the 20 voxels needed to judge it"


def test_the_limit_is_set_without_the_judged_subject():
    """An odd training subject raises the limit by its deviation from the others, not from itself."""
    odd = with_images(toy_case(40), lambda v: v + 3, "odd")
    with_odd = fit_filter(ClassStatisticsSpec(refused_share=0.01), TRAIN + cohort_of_cases([odd]), seed=0)

    assert with_odd.limit > 10


def test_two_sessions_are_one_subject():
    """Four cases of three subjects are too few subjects."""
    twice = replace(toy_case(1), case_id="s01-2")
    with pytest.raises(CohortError, match="3 training subjects for filter 'class_statistics'"):
        fit_filter(ClassStatisticsSpec(), toy_cohort(range(3)) + cohort_of_cases([twice]), seed=0)


def test_a_missing_contrast_is_refused():
    """A case without a contrast of the training cases cannot be judged."""
    case = toy_case(50)
    bare = replace(case, images={Modality.T1: case.images[Modality.T1]})
    with pytest.raises(CaseError, match=r"s50-1: contrasts \['t1'\]; expected also \['flair'\]"):
        fitted().assess(bare)
