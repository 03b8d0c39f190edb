"""What all quality filters share, and cohorts that pass through them."""

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fixtures_filters import small_filter, small_fit
from glioforge.config.load import parse_spec
from glioforge.config.spec import Spec
from glioforge.core.errors import CohortError, LeakageError, SpecError
from glioforge.core.firewall import require_no_leak
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import QualityFilter, Verdict, VerdictRow, funnel
from glioforge.quality.base import (
    FILTERS,
    AnyFilter,
    Evidence,
    FilterSpec,
    apply_filters,
    calibrated_limit,
    check_cohort,
)
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images, with_labels


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
    with pytest.raises(CohortError, match="1 training subject for filter 'toy'; expected at least 2; leave"):
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


SPECS = [FILTERS.parse(kind) for kind in ("plausible_labels", "class_statistics", "duplicate")]


def made_cases():
    """A fresh case, a bleached one, a copy of a training case and one without a lesion."""
    fresh = replace(toy_case(23), lineage=Lineage.synthetic("toy", {}, seed=1))
    bare = np.where(fresh.labels.lesion, 4, fresh.labels.voxels)
    return cohort_of_cases(
        [
            fresh,
            with_images(toy_case(24), lambda v: v + 5, "bleached"),
            replace(toy_case(3), case_id="copy"),
            with_labels(fresh, bare, "bare"),
        ]
    )


def test_each_filter_refuses_what_it_is_for():
    """The fresh case is kept; the others fall to the filter that knows their fault."""
    kept, rows = check_cohort(made_cases(), toy_cohort(range(14)), SPECS, seed=0)
    refused = {(row.case_id, row.filter) for row in rows if not row.keep}

    assert [ref.case_id for ref in kept] == ["s23-1"]
    assert {("bleached", "class_statistics"), ("copy", "duplicate"), ("bare", "plausible_labels")} <= refused
    assert len(rows) == 4 * 3


def test_kept_cases_inherit_the_filters_subjects():
    """Whoever set a limit stands behind every case that passed it."""
    kept, _ = check_cohort(made_cases(), toy_cohort(range(14)), SPECS, seed=0)

    assert {f"s{n:02}" for n in range(14)} <= set(kept["s23-1"].lineage.subjects)
    with pytest.raises(LeakageError, match=r"case 's23-1' comes from \['s05'\] through filter plausible_labels"):
        require_no_leak({"synthetic cases": kept}, toy_cohort([5], "test"))


def test_no_filters_keep_all_unchanged():
    """Without filters the cohort is handed on as it is."""
    made = made_cases()

    assert check_cohort(made, toy_cohort([1]), [], seed=0) == (made, ())


def test_an_empty_cohort_stays_empty():
    """Nothing made, nothing judged."""
    kept, rows = check_cohort(cohort_of_cases([]), toy_cohort(range(5)), SPECS, seed=0)

    assert (len(kept), rows, funnel(rows)) == (0, (), ())


def test_a_filter_that_cannot_be_fitted_says_so():
    """Too few training subjects stop the check instead of passing everything."""
    with pytest.raises(CohortError, match="2 training subjects for filter 'plausible_labels'; expected at least 3"):
        check_cohort(made_cases(), toy_cohort([1, 2]), SPECS, seed=0)


def test_funnel_counts_what_is_left_after_each_filter():
    """A case refused by two filters leaves the funnel once, at the first."""
    rows = [
        VerdictRow(case, name, case not in refused, 0.0, "why")
        for case in "abcd"
        for name, refused in (("first", "a"), ("second", "ab"))
    ]

    assert [(stage.name, stage.count) for stage in funnel(rows)] == [("made", 4), ("first", 3), ("second", 2)]


@pytest.mark.parametrize("score", [1.5, float("inf")])
def test_verdicts_come_back_from_json(score):
    """A verdict survives JSON, an infinite score as well."""
    row = VerdictRow("a", "toy", False, score, "why")

    assert VerdictRow.from_json(json.loads(json.dumps(row.to_json(), allow_nan=False))) == row
