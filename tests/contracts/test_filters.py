"""Laws that every quality filter obeys."""

from dataclasses import replace

import numpy as np
import pytest

from fixtures_filters import small_filter, small_fit
from glioforge.quality.base import FILTERS
from toy_cohort import toy_case, toy_cohort, with_images

every_kind = pytest.mark.parametrize("kind", FILTERS.kinds())
TRAIN = toy_cohort(range(6))


def judged():
    """Cases of all sorts: trained on, unseen, bleached, without a lesion."""
    unseen = toy_case(30)
    bare = unseen.labels.with_voxels(np.where(unseen.labels.lesion, 4, unseen.labels.voxels).astype(np.uint8))
    return [toy_case(2), unseen, with_images(unseen, lambda v: v + 4), replace(unseen, labels=bare)]


@every_kind
def test_verdicts_are_the_same_every_time(kind):
    """Fitting and judging twice gives the same verdicts, whatever was judged before."""
    first, second = (small_fit(kind, TRAIN) for _ in range(2))
    forwards = [first.assess(case) for case in judged()]
    backwards = [second.assess(case) for case in reversed(judged())]

    assert forwards == backwards[::-1]


@every_kind
def test_verdicts_give_a_reason_and_a_number(kind):
    """No verdict is without a reason; scores of cases that can be judged are numbers, and none is below 0."""
    fitted = small_fit(kind, TRAIN)

    for verdict in map(fitted.assess, judged()):
        assert verdict.reason.strip()
        assert isinstance(verdict.keep, bool)
        assert verdict.score >= 0


@every_kind
def test_input_is_untouched(kind):
    """Neither fitting nor judging changes a voxel."""
    case = judged()[1]
    before = [case.labels.voxels.copy(), *(v.voxels.copy() for v in case.images.values())]
    small_fit(kind, TRAIN).assess(case)
    after = [case.labels.voxels, *(v.voxels for v in case.images.values())]

    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


@every_kind
def test_refused_cases_score_worse_than_kept_ones(kind):
    """A higher score is worse: every refused case scores above every kept one."""
    fitted = small_fit(kind, TRAIN)
    verdicts = [fitted.assess(case) for case in judged()]
    kept = [v.score for v in verdicts if v.keep]
    refused = [v.score for v in verdicts if not v.keep]

    assert max(kept, default=0) <= min(refused, default=np.inf)


@every_kind
def test_settings_come_back_from_their_own_yaml(kind):
    """A filter's settings survive being written and read."""
    spec = small_filter(kind)

    assert FILTERS.parse(spec.model_dump(mode="json")) == spec
