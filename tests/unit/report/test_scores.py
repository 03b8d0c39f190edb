"""From rows to subjects: every number of a page is read from here."""

import numpy as np
import pytest

from glioforge.core.errors import MetricError
from glioforge.core.volume import Modality
from glioforge.io.tables import ResultRow
from glioforge.metrics import register
from glioforge.metrics.base import Direction
from glioforge.metrics.register import Level, RegisteredMetric
from glioforge.report.compare import compare_arms
from glioforge.report.scores import Endpoint, ResultTable, spreads
from glioforge.report.tables import difference_table
from glioforge.report.words import finding, reading
from glioforge.statistics.intervals import resampled


def row(arm, subject, value, **values):
    """A row of a study of one region and metric."""
    given = {"fold": 0, "seed": 0, "region": "WT", "metric": "dice", "case_id": f"{subject}-1", "unit": "1", "note": ""}
    return ResultRow(study="toy", arm=arm, subject_id=subject, value=value, **{**given, **values})


def test_sessions_and_folds_count_once():
    """A subject's scans and folds are averaged within a seed, seeds stay apart."""
    rows = [row("real", "a", 0.2), row("real", "a", 0.4, case_id="a-2"), row("real", "a", 0.9, seed=1, fold=1)]
    scores = ResultTable(rows).scores("real", "WT", "dice")

    assert (scores.subjects, scores.seeds) == (("a",), (0, 1))
    assert scores.values.tolist() == [[pytest.approx(0.3), 0.9]]
    assert scores.by_subject() == {"a": pytest.approx(0.6)}


def test_other_arms_regions_and_metrics_are_passed_over():
    """Only what was asked for is gathered; nothing found gives no subjects."""
    rows = [row("real", "a", 0.2, region="TC"), row("real", "a", 0.4, metric="hd95"), row("more", "a", 0.6)]

    assert ResultTable(rows).scores("real", "WT", "dice").subjects == ()


def test_rows_are_walked_once():
    """Scores are gathered once for each arm, region and metric."""
    table = ResultTable(row("real", f"s{n}", n / 10) for n in range(7))

    assert table.scores("real", "WT", "dice") is table.scores("real", "WT", "dice")
    assert table.arms() == ("real",)
    assert len(table.subjects()) == 7
    assert table.interval("real", "WT", "dice").known
    assert Endpoint("dice", "WT", table).of("real").estimate == pytest.approx(0.3)


def test_mean_region_needs_all_regions():
    """A case gets a mean over regions only where it was scored in each of them."""
    rows = [row("real", "a", 0.2), row("real", "a", 0.6, region="TC", empty="both empty"), row("real", "b", 0.5)]
    added = ResultTable(rows).with_mean(["WT", "TC"]).rows[len(rows) :]

    assert [(r.subject_id, r.region, r.value, r.empty) for r in added] == [("a", "mean", 0.4, "")]
    assert ResultTable(rows).with_mean([]).rows == tuple(rows)


def test_means_over_contrasts_are_those_of_methods_that_make_all_of_them():
    """A method with fewer contrasts has none; samples are kept apart."""
    rows = [
        row(arm, "a", value, metric="ssim", region="brain", contrast=contrast, sample=sample)
        for sample, shift in (("mean of draws", 0.0), ("one draw", 9.0))
        for arm, value in (("a", 0.5 + shift), ("b", 0.6 + shift))
        for contrast in ("t1", "flair")
        if (arm, contrast) != ("b", "flair")
    ]
    pooled = ResultTable(rows, noun="phantom").over_contrasts(sample="mean of draws")

    assert [(r.arm, r.value) for r in pooled.rows if r.place == "brain"] == [("a", 0.5)]
    assert (pooled.contrasts(), pooled.noun) == ((Modality.T1, Modality.FLAIR), "phantom")


def test_spread_tells_quartiles_and_empties():
    """A subject counts once, and rows of the policy are counted."""
    notes = [(0.0, "prediction empty"), (0.5, ""), (1.0, "both empty")]
    table = ResultTable(row("a", f"s{n}", value, empty=empty) for n, (value, empty) in enumerate(notes))
    (spread,) = spreads(table, "a", ("WT", "TC"))

    assert spread.quartiles == (0.25, 0.5, 0.75)
    assert spread.empty == (1, 1, 0)
    assert spread.to_json()["mean"] == pytest.approx(0.5)
    assert (spread.to_json()["low"], spread.to_json()["subjects"], np.isnan(spread.mean.low)) == (None, 3, True)


def test_means_keep_references_samples_and_grids_apart():
    """One mean for each; it belongs to no contrast."""
    rows = [
        row("real", "a", value, region="brain", contrast=contrast, sample=sample, reference="scan")
        for contrast, value in (("t1", 0.2), ("t2", 0.4))
        for sample in ("one draw", "mean of draws")
    ]
    added = ResultTable(rows).with_mean(["brain/t1", "brain/t2"], "brain").rows[len(rows) :]

    assert [(r.place, r.sample) for r in added] == [("brain", "one draw"), ("brain", "mean of draws")]
    assert [r.value for r in added] == pytest.approx([0.3, 0.3])


@pytest.fixture
def distance(monkeypatch):
    """A registered metric of whole cohorts."""
    entry = RegisteredMetric("toy_distance", "Toy", "1", Direction.LOWER, (0.0, float("inf")), Level.COHORT)
    monkeypatch.setitem(register._REGISTER, "toy_distance", entry)


def cohort_rows(arm, shift, count=100):
    """A number of 12 subjects, with resamples, and a Dice of each subject."""
    values = dict(zip((f"s{n:02d}" for n in range(12)), np.linspace(1, 2, 12) + shift, strict=True))
    found = resampled(list(values), lambda names: float(np.mean([values[name] for name in names])), seed=1, count=count)
    rows = [row(arm, "", value, metric="toy_distance", case_id="", sample=name) for name, value in found.items()]
    return rows + [row(arm, name, 0.5) for name in values]


def test_numbers_of_a_cohort_get_their_interval_from_resamples(distance):
    """Not from a mean over subjects, of which there is none."""
    found = ResultTable(cohort_rows("a", 0.0)).interval("a", "WT", "toy_distance")

    assert found.estimate == pytest.approx(1.5)
    assert 1.2 < found.low < 1.45
    assert 1.55 < found.high < 1.8
    assert (found.count, found.note) == (12, "")


def test_without_resamples_a_number_of_a_cohort_has_no_interval_and_says_why(distance):
    """Never "1 subject: too few to conclude"."""
    found = ResultTable(cohort_rows("a", 0.0, count=0)).interval("a", "WT", "toy_distance")

    assert (found.estimate, found.known) == (pytest.approx(1.5), False)
    assert "whole cohort with 0 resamples" in found.note


@pytest.mark.parametrize(("shift", "told"), [(-0.4, "better"), (0.4, "worse"), (0.0, "no difference shown")])
def test_cohorts_are_compared_resample_by_resample(distance, shift, told):
    """Lower is better for a distance; there is no test over subjects, so the interval decides."""
    table = ResultTable(cohort_rows("a", 0.0) + cohort_rows("b", shift))
    (entry,) = compare_arms(table, {"a": "A", "b": "B"}, ["WT"], "toy_distance")

    assert reading(entry) == told
    assert entry.comparison.difference.estimate == pytest.approx(-shift)
    assert np.isnan(entry.p_holm)
    assert "p " not in finding(entry, "B", "A", "toy_distance").partition("interval")[2]
    assert difference_table([entry], {"a": "A", "b": "B"}, "toy_distance").rows[0][4:7] == ("–", "–", "–")


def test_a_metric_that_nobody_registered_has_no_interval():
    """Nobody knows which of its values are better."""
    with pytest.raises(MetricError, match="'fid', which is not registered"):
        ResultTable([row("a", "s1", 1.0, metric="fid")]).interval("a", "WT", "fid")
