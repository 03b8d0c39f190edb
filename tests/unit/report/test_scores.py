"""From rows to subjects: every number of a page is read from here."""

import numpy as np
import pytest

from glioforge.core.modality import Modality
from glioforge.io.tables import ResultRow
from glioforge.report.scores import Endpoint, ResultTable, spreads


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
    rows = [row("real", "a", 0.2), row("real", "a", 0.6, region="TC", note="both empty"), row("real", "b", 0.5)]
    added = ResultTable(rows).with_mean(["WT", "TC"]).rows[len(rows) :]

    assert [(r.subject_id, r.region, r.value, r.note) for r in added] == [("a", "mean", 0.4, "")]
    assert ResultTable(rows).with_mean([]).rows == tuple(rows)


def test_means_over_contrasts_are_those_of_methods_that_make_all_of_them():
    """A method with fewer contrasts has none; notes are told apart by how they begin."""
    regions = ("brain/t1", "brain/flair")
    rows = [
        row(arm, "a", value, metric="ssim", region=region, note=f"{note} against the scan")
        for note, shift in (("mean of draws", 0.0), ("one draw", 9.0))
        for arm, value in (("a", 0.5 + shift), ("b", 0.6 + shift))
        for region in regions
        if (arm, region) != ("b", "brain/flair")
    ]
    pooled = ResultTable(rows, noun="phantom").over_contrasts("mean of draws")

    assert [(r.arm, r.value) for r in pooled.rows if r.region == "brain"] == [("a", 0.5)]
    assert (pooled.contrasts(), pooled.noun) == ((Modality.T1, Modality.FLAIR), "phantom")


def test_spread_tells_quartiles_and_empties():
    """A subject counts once, and rows of the policy are counted."""
    notes = [(0.0, "prediction empty"), (0.5, ""), (1.0, "both empty")]
    table = ResultTable(row("a", f"s{n}", value, note=note) for n, (value, note) in enumerate(notes))
    (spread,) = spreads(table, "a", ("WT", "TC"))

    assert spread.quartiles == (0.25, 0.5, 0.75)
    assert spread.empty == (1, 1, 0)
    assert spread.to_json()["mean"] == pytest.approx(0.5)
    assert (spread.to_json()["low"], spread.to_json()["subjects"], np.isnan(spread.mean.low)) == (None, 3, True)
