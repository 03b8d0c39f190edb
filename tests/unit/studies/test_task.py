"""Tests of `studies.task`: what a task records."""

from pathlib import Path

import pytest

from glioforge.core.errors import MetricError
from glioforge.core.protocols import Silent
from glioforge.studies.task import Context, Task
from toy_study import toy_fold, toy_run


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Context of a task of fold 1 of a study called toy."""
    task = Task("fold-1/scores", "scores", toy_fold(tmp_path, index=1), toy_run, arm="narrow", seed=2)
    return Context(task, tmp_path, {}, Silent())


def row(metric):
    """Columns of one number."""
    return {"case_id": "a", "subject_id": "a", "region": "WT", "metric": metric, "value": 0.5}


def test_rows_are_completed_by_the_tasks_own_names(context):
    """Study, arm, fold and seed; a row may name another arm."""
    record = context.record([row("dice"), row("hd95") | {"arm": "wide"}])

    assert [(r.study, r.arm, r.fold, r.seed, r.metric) for r in record.rows] == [
        ("toy", "narrow", 1, 2, "dice"),
        ("toy", "wide", 1, 2, "hd95"),
    ]


def test_a_metric_that_is_not_registered_stops_the_task(context):
    """At the first task, not after the last one, when the page is written."""
    with pytest.raises(MetricError, match="'fid', which is not registered"):
        context.record([row("dice"), row("fid")])
