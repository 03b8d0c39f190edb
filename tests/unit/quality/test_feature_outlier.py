"""The filter on features of images."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import CohortError, Geometry, SpecError, stream
from glioforge.data.alike import slices_like
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.feature_outlier import Components, FeatureOutlierSpec
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images

TRAIN = toy_cohort(range(20))
FITTED = fit_filter(FeatureOutlierSpec(), TRAIN, seed=0)
SLICE = Geometry((16, 14, 1), np.diag([10.0, 10.0, 10.0, 1.0]))


def test_unseen_real_cases_pass():
    """Of unseen real cases about the stated share is refused."""
    verdicts = [FITTED.assess(toy_case(seed)) for seed in range(40, 70)]

    assert sum(not v.keep for v in verdicts) <= 5
    assert all("real cases in features" in v.reason for v in verdicts)


@pytest.mark.parametrize("fault", ["noise", "shift", "flat"])
def test_damaged_images_are_refused(fault):
    """Noise, a wrong level and images without contrast are far from every real case."""
    rng = stream(3, fault)
    change = {
        "noise": lambda v: v + rng.normal(0, 1.5, v.shape),
        "shift": lambda v: v + 2,
        "flat": lambda v: v * 0.1,
    }[fault]
    verdicts = [FITTED.assess(with_images(toy_case(seed), change)) for seed in range(40, 50)]

    assert sum(not v.keep for v in verdicts) >= 9


def test_slices_are_judged_against_slices():
    """Slices without labels are judged by slices of the real cases; noise is refused."""
    made = [
        replace(case, case_id=f"made-{n}", labels=None, brain=None)
        for seed in (50,)
        for n, case in enumerate(slices_like(toy_case(seed), SLICE), 100 * seed)
    ]
    fitted = fit_filter(FeatureOutlierSpec(), toy_cohort(range(5)), made=cohort_of_cases(made), seed=0)
    rng = stream(1, "slices")
    noisy = []
    for case in made:
        inside = case.brain_mask
        images = {
            m: replace(v, voxels=(v.voxels + inside * rng.normal(0, 3, inside.shape)).astype(np.float32))
            for m, v in case.images.items()
        }
        noisy.append(replace(case, images=images))

    assert np.mean([fitted.assess(case).keep for case in made]) >= 0.7
    assert np.mean([fitted.assess(case).keep for case in noisy]) <= 0.1


def test_components_keep_what_explains_the_features():
    """Distances are zero at a real case alone, and what lies off the components counts."""
    rng = stream(5, "components")
    plane = rng.standard_normal((30, 2)) @ rng.standard_normal((2, 6))
    fitted = Components.of(plane, 0.999)
    off = np.linalg.svd(plane - plane.mean(axis=0))[2][-1] * 10
    near, where = fitted.distances(plane[:4], 1)
    far, _ = fitted.distances(plane[:4] + off, 1)

    assert fitted.axes.shape == (6, 2)
    np.testing.assert_allclose(near, 0, atol=1e-6)
    assert where.tolist() == [0, 1, 2, 3]
    assert far.min() > 1


def test_what_cannot_be_compared_is_refused():
    """Bare label maps have no images, an encoder has to be given, and three subjects are the least."""
    bare = [replace(toy_case(9), images={})]
    with pytest.raises(CohortError, match="no contrast that real and made cases share"):
        fit_filter(FeatureOutlierSpec(), TRAIN, made=cohort_of_cases(bare), seed=0)
    with pytest.raises(SpecError, match="a trained encoder"):
        fit_filter(FeatureOutlierSpec(space="encoder"), TRAIN, seed=0)
    with pytest.raises(CohortError, match="2 training subjects"):
        fit_filter(FeatureOutlierSpec(), toy_cohort(range(2)), seed=0)
