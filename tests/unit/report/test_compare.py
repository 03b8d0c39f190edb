"""Arms compared on the same subjects."""

import numpy as np
import pytest

from glioforge.core.errors import CohortError, MetricError
from glioforge.io.tables import ResultRow
from glioforge.report.compare import against, compare_arms, compare_endpoints, goodness, is_better, paired
from glioforge.report.scores import Endpoint, ResultTable


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


def test_rows_without_a_number_leave_the_subject_out():
    """A metric that has no value makes its subject missing, in the comparison by name."""
    rows = [row("real", "a", 0.2), row("more", "a", 0.3), row("real", "b", 0.5), row("more", "b", float("nan"))]

    assert ResultTable(rows).scores("more", "WT", "dice").subjects == ("a",)
    assert compare_arms(ResultTable(rows), ARMS, ["WT"])[0].left_out == ("b",)


def test_only_common_subjects_and_seeds_are_compared():
    """Who lacks a result in one arm is left out of both, and named."""
    rows = [row("real", "a", 0.2), row("real", "a", 0.9, seed=1), row("real", "b", 0.5), row("more", "a", 0.3)]
    differences, left_out = paired(
        ResultTable(rows).scores("more", "WT", "dice"), ResultTable(rows).scores("real", "WT", "dice"), "dice"
    )

    assert differences.subjects == ("a",)
    assert differences.values.tolist() == [[pytest.approx(0.1)]]
    assert left_out == ("b",)


def test_arms_without_a_common_seed_are_not_compared():
    """No common seed, no comparison, and no error."""
    rows = [row("real", "a", 0.2), row("more", "a", 0.3, seed=5)]
    entry = compare_arms(ResultTable(rows), ARMS, ["WT"])[0]

    assert entry.left_out == ("a",)
    assert np.isnan(entry.comparison.p)
    assert np.isnan(entry.p_holm)


@pytest.mark.parametrize(
    ("metric", "value", "turned"), [("dice", 0.4, 0.4), ("hd95", 9.0, -9.0), ("volume_difference", -3.0, -3.0)]
)
def test_more_is_better_for_every_metric(metric, value, turned):
    """Distances are negated and signed differences judged by their size."""
    assert goodness(metric, np.array([value])).tolist() == [turned]


def test_a_metric_without_direction_is_not_compared():
    """Nobody knows which volume is better."""
    with pytest.raises(MetricError, match="'volume', of which no value is better"):
        goodness("volume", np.array([1.0]))


def test_smaller_distances_count_as_better():
    """An arm with a smaller HD95 is better by a positive difference."""
    entry = compare_arms(ResultTable(study(8, -0.2, "hd95")), ARMS, ["WT"], "hd95")[0]

    assert entry.comparison.difference.estimate == pytest.approx(0.2)
    assert entry.comparison.better == 8


def test_holm_runs_over_arms_and_regions():
    """Two tests with p of 2 / 2**8 each are corrected to twice that."""
    rows = study(8, 0.1)
    rows += [ResultRow(**{**r.__dict__, "region": "TC"}) for r in rows]
    entries = compare_arms(ResultTable(rows), ARMS, ["WT", "TC"])

    assert [e.region for e in entries] == ["WT", "TC"]
    assert [e.p_holm for e in entries] == [pytest.approx(4 / 2**8)] * 2


def test_comparing_needs_an_arm():
    """Without arms there is no baseline; with one there is nothing to compare."""
    with pytest.raises(CohortError, match="no arms to compare; expected a reference and at least one other arm"):
        compare_arms(ResultTable([]), {}, ["WT"])
    assert compare_arms(ResultTable(study(3, 0.1)), {"real": "Real"}, ["WT"]) == ()


def test_endpoints_of_one_metric_are_corrected_together():
    """Each metric has a family of tests of its own, and the reference comes first."""
    rows = study(8, 0.1)
    rows += [ResultRow(**{**r.__dict__, "region": "TC"}) for r in rows] + study(8, -2.0, "hd95")
    table = ResultTable(rows)
    ends = [Endpoint(metric, region, table) for metric, region in (("dice", "WT"), ("dice", "TC"), ("hd95", "WT"))]
    found = compare_endpoints(ends, {"more": "More", "real": "Real"}, "real")

    assert list(against("real", {"more": "More", "real": "Real"})) == ["real", "more"]
    assert [e.p_holm for e in found["dice"]] == [pytest.approx(4 / 2**8)] * 2
    assert [e.p_holm for e in found["hd95"]] == [pytest.approx(2 / 2**8)]
    assert is_better("hd95", 3.0, 5.0)
    assert not is_better("dice", 0.3, 0.3)
