"""From rows to subjects, and arms compared on the same ones."""

import numpy as np
import pytest

from glioforge.core.errors import CohortError
from glioforge.io.tables import ResultRow
from glioforge.report.compare import (
    compare_arms,
    goodness,
    metric_shown,
    paired,
    scores_of,
    with_mean_region,
)


def row(arm, subject, value, **values):
    """A row of a study of one region and metric."""
    given = {"fold": 0, "seed": 0, "region": "WT", "metric": "dice", "case_id": f"{subject}-1", "unit": "1", "note": ""}
    return ResultRow(study="toy", arm=arm, subject_id=subject, value=value, **{**given, **values})


def study(count, gain, metric="dice"):
    """Two arms, two seeds; the second arm is better by `gain` on every subject."""
    return [
        row(arm, f"s{n:02}", 0.5 + 0.01 * n + 0.02 * seed + better, seed=seed, metric=metric)
        for n in range(count)
        for seed in range(2)
        for arm, better in (("real", 0.0), ("more", gain))
    ]


ARMS = {"real": "Real", "more": "More"}


def test_sessions_and_folds_count_once():
    """A subject's scans and folds are averaged within a seed, seeds stay apart."""
    rows = [row("real", "a", 0.2), row("real", "a", 0.4, case_id="a-2"), row("real", "a", 0.9, seed=1, fold=1)]
    scores = scores_of(rows, "real", "WT", "dice")

    assert (scores.subjects, scores.seeds) == (("a",), (0, 1))
    assert scores.values.tolist() == [[pytest.approx(0.3), 0.9]]
    assert scores.by_subject() == {"a": pytest.approx(0.6)}


def test_other_arms_regions_and_metrics_are_passed_over():
    """Only what was asked for is gathered; nothing found gives no subjects."""
    rows = [row("real", "a", 0.2, region="TC"), row("real", "a", 0.4, metric="hd95"), row("more", "a", 0.6)]

    assert scores_of(rows, "real", "WT", "dice").subjects == ()


def test_rows_without_a_number_leave_the_subject_out():
    """A metric that has no value makes its subject missing, in the comparison by name."""
    rows = [row("real", "a", 0.2), row("more", "a", 0.3), row("real", "b", 0.5), row("more", "b", float("nan"))]

    assert scores_of(rows, "more", "WT", "dice").subjects == ("a",)
    assert compare_arms(rows, ARMS, ["WT"])[0].left_out == ("b",)


def test_only_common_subjects_and_seeds_are_compared():
    """Who lacks a result in one arm is left out of both, and named."""
    rows = [row("real", "a", 0.2), row("real", "a", 0.9, seed=1), row("real", "b", 0.5), row("more", "a", 0.3)]
    differences, left_out = paired(scores_of(rows, "more", "WT", "dice"), scores_of(rows, "real", "WT", "dice"), "dice")

    assert differences.subjects == ("a",)
    assert differences.values.tolist() == [[pytest.approx(0.1)]]
    assert left_out == ("b",)


def test_arms_without_a_common_seed_are_not_compared():
    """No common seed, no comparison, and no error."""
    rows = [row("real", "a", 0.2), row("more", "a", 0.3, seed=5)]
    entry = compare_arms(rows, ARMS, ["WT"])[0]

    assert entry.left_out == ("a",)
    assert np.isnan(entry.comparison.p)
    assert np.isnan(entry.p_holm)


@pytest.mark.parametrize(
    ("metric", "value", "turned"), [("dice", 0.4, 0.4), ("hd95", 9.0, -9.0), ("volume_difference", -3.0, -3.0)]
)
def test_more_is_better_for_every_metric(metric, value, turned):
    """Distances are negated and signed differences judged by their size."""
    assert goodness(metric, np.array([value])).tolist() == [turned]


def test_smaller_distances_count_as_better():
    """An arm with a smaller HD95 is better by a positive difference."""
    entry = compare_arms(study(8, -0.2, "hd95"), ARMS, ["WT"], "hd95")[0]

    assert entry.comparison.difference.estimate == pytest.approx(0.2)
    assert entry.comparison.better == 8


def test_holm_runs_over_arms_and_regions():
    """Two tests with p of 2 / 2**8 each are corrected to twice that."""
    rows = study(8, 0.1)
    rows += [ResultRow(**{**r.__dict__, "region": "TC"}) for r in rows]
    entries = compare_arms(rows, ARMS, ["WT", "TC"])

    assert [e.region for e in entries] == ["WT", "TC"]
    assert [e.p_holm for e in entries] == [pytest.approx(4 / 2**8)] * 2


def test_comparing_needs_an_arm():
    """Without arms there is no baseline; with one there is nothing to compare."""
    with pytest.raises(CohortError, match="no arms to compare; expected a baseline and at least one other arm"):
        compare_arms([], {}, ["WT"])
    assert compare_arms(study(3, 0.1), {"real": "Real"}, ["WT"]) == ()


def test_mean_region_needs_all_regions():
    """A case gets a mean over regions only where it was scored in each of them."""
    rows = [row("real", "a", 0.2), row("real", "a", 0.6, region="TC", note="both empty"), row("real", "b", 0.5)]
    added = with_mean_region(rows, ["WT", "TC"])[len(rows) :]

    assert [(r.subject_id, r.region, r.value, r.note) for r in added] == [("a", "mean", 0.4, "")]
    assert with_mean_region(rows, []) == rows


def test_metrics_are_shown_by_title_and_unit():
    """Known metrics have their title and unit, others their own name."""
    assert metric_shown("dice").heading == "Dice"
    assert metric_shown("hd95").heading == "HD95, mm"
    assert (metric_shown("odd").heading, metric_shown("odd").is_share) == ("odd", True)
