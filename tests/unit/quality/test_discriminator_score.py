"""The filter by a discriminator."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import CohortError, Lineage
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.discriminator_score import DiscriminatorScoreSpec
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images

TRAIN = toy_cohort(range(20))


class LevelCritic:
    """Likes heads whose level is that of real ones."""

    lineage = Lineage.real("critic", "s00")

    def score(self, case):
        """Return a number that falls with the distance from 0."""
        return 5 - 20 * abs(float(np.mean([v.voxels.mean() for v in case.images.values()])))


def made(count, changed):
    """Toy heads of other subjects, the first `changed` of them too bright."""
    cases = [toy_case(seed) for seed in range(100, 100 + count)]
    return [with_images(c, lambda v: v + 1, c.case_id) if n < changed else c for n, c in enumerate(cases)]


def test_what_a_discriminator_tells_apart_is_refused():
    """Bright heads are refused and lookalikes are kept; the made cohort stands behind the filter."""
    cases = made(24, 12)
    fitted = fit_filter(DiscriminatorScoreSpec(), TRAIN, made=cohort_of_cases(cases), seed=0)
    kept = [fitted.assess(case).keep for case in cases]

    assert sum(kept[:12]) <= 1
    assert sum(kept[12:]) >= 6
    assert {"s00", "s100"} <= set(fitted.subjects)


def test_a_critic_that_is_given_is_asked():
    """Its limit comes from subjects that it has not seen, and its own subjects join the lineage."""
    fitted = fit_filter(DiscriminatorScoreSpec(), TRAIN, models={"critic": LevelCritic()}, seed=0)

    assert fitted.assess(toy_case(50)).keep
    assert not fitted.assess(with_images(toy_case(50), lambda v: v + 1)).keep
    assert "the critic's loss" in fitted.assess(toy_case(50)).reason


def test_too_little_to_learn_from_is_refused():
    """A discriminator needs made cases; a critic needs subjects that are new to it."""
    seen = replace(LevelCritic.lineage, subjects=tuple(TRAIN.subject_ids))
    critic = type("Critic", (LevelCritic,), {"lineage": seen})()
    with pytest.raises(CohortError, match="0 made cases"):
        fit_filter(DiscriminatorScoreSpec(), TRAIN, seed=0)
    with pytest.raises(CohortError, match="no real case whose subject is new to the critic"):
        fit_filter(DiscriminatorScoreSpec(), TRAIN, models={"critic": critic}, seed=0)
