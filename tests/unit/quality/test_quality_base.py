"""What all quality filters share."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fixtures_filters import small_filter, small_fit
from glioforge.config.load import parse_spec
from glioforge.config.spec import Spec
from glioforge.core.errors import CohortError, SpecError
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import QualityFilter, Verdict
from glioforge.quality.base import (
    FILTERS,
    AnyFilter,
    Evidence,
    FilterSpec,
    apply_filters,
    calibrated_limit,
)
from toy_cohort import toy_cohort


class Holder(Spec):
    """A spec with filters in it."""

    filters: tuple[AnyFilter, ...] = ()
    """Filters."""


def test_every_file_is_a_filter():
    """A file in `filters/` is selectable by its name, without another list."""
    specs = parse_spec({"filters": [small_filter(kind) for kind in FILTERS.kinds()]}, Holder).filters

    assert [spec.kind for spec in specs] == [
        "class_statistics",
        "discriminator_score",
        "duplicate",
        "expert",
        "feature_outlier",
        "label_autoencoder",
        "pixel_zscore",
        "plausible_labels",
        "segmenter_agreement",
    ]


def test_a_misspelt_filter_is_told_by_its_path():
    """An unknown filter is refused with the nearest known name."""
    with pytest.raises(SpecError, match="did you mean 'duplicate'"):
        parse_spec({"filters": ["duplicat"]}, Holder)


@pytest.mark.parametrize("kind", FILTERS.kinds())
def test_fitted_filters_are_quality_filters(kind):
    """A fitted filter keeps the protocol and names the subjects behind it."""
    fitted = small_fit(kind, toy_cohort(range(5)))

    assert isinstance(fitted, QualityFilter)
    assert set(fitted.subjects) >= {"s00", "s01", "s02", "s03", "s04"}


@given(st.integers(1, 200), st.sampled_from([0.01, 0.05, 0.2, 0.5]))
def test_limit_refuses_no_more_than_the_share(count, share):
    """At most the stated share of the calibrating scores lies beyond the limit, and the limit is one of them."""
    scores = np.random.default_rng(count).normal(size=count)
    limit = calibrated_limit(scores, share)

    assert limit in scores
    assert (scores > limit).mean() <= share


def test_limit_holds_for_unseen_cases():
    """Over many calibrations with few cases, unseen real cases are refused about as often as promised."""
    rng = np.random.default_rng(1)
    draws = rng.exponential(size=(4000, 20))
    refused = np.mean([row[-1] > calibrated_limit(row[:-1], 0.1) for row in draws])

    assert 0.08 <= refused <= 0.12


def test_too_few_subjects_are_refused():
    """Two sessions of one subject are one subject; the message says what to do."""
    with pytest.raises(CohortError, match="1 training subjects for filter 'toy'; expected at least 2; leave"):
        Evidence(toy_cohort([1]), toy_cohort([])).require_subjects(2, "toy")


class RareSpec(FilterSpec):
    """Settings of a filter for tests."""

    kind: str = "rare"


@dataclass(frozen=True)
class Rare:
    """Refuse a case that the segmenter finds more tumour in than in any other synthetic case."""

    subjects: tuple[str, ...]
    most: int
    segmenter: Any

    @classmethod
    def fit(cls, spec, evidence):
        """Count with the segmenter in the whole cohort."""
        segmenter = evidence.model("segmenter", spec.kind)
        counts = sorted(int(segmenter.segment(ref.load()).lesion.sum()) for ref in evidence.made)
        return cls(evidence.subjects("segmenter", made=True), counts[-2], segmenter)

    def assess(self, case):
        """Compare with the rest."""
        count = int(self.segmenter.segment(case).lesion.sum())
        return Verdict(count <= self.most, float(count), f"{count} voxels")


@dataclass(frozen=True)
class Truthful:
    """A segmenter that knows the labels, and whom it was trained on."""

    lineage = Lineage.real("elsewhere", "zoe")

    def segment(self, case):
        """Give the labels."""
        return case.require_labels()


def test_a_filter_sees_the_whole_cohort_and_models_and_names_all_behind_them():
    """The limit comes from other synthetic cases, by a segmenter whose subjects are behind every kept case."""
    made, train = toy_cohort([30, 31, 32, 33], "made"), toy_cohort([1, 2])
    sizes = [int(ref.load().labels.lesion.sum()) for ref in made]
    fitted = Rare.fit(RareSpec(), Evidence(train, made, models={"segmenter": Truthful()}))
    kept, rows = apply_filters(made, [("rare", fitted)])
    assert fitted.subjects == ("s01", "s02", "s30", "s31", "s32", "s33", "zoe")
    assert [row.keep for row in rows] == [size < max(sizes) for size in sizes]
    assert all("zoe" in ref.lineage.subjects for ref in kept)


def test_a_model_that_was_not_given_is_named():
    """What there is, what is needed, what to do."""
    made = toy_cohort([30], "made")
    with pytest.raises(SpecError, match="filter 'rare' with models: none; expected a trained segmenter"):
        Rare.fit(RareSpec(), Evidence(toy_cohort([1]), made))
