"""Promises of `studies.forecast`: the plan says what is done, what the rest may take, and on what that is based."""

from dataclasses import replace

import pytest

from glioforge.io.run_folder import read_json, write_json
from glioforge.studies.estimates import Past, PlannedTask, estimated, past_of
from glioforge.studies.forecast import _measured, expected_seconds, plan_lines, plan_study
from glioforge.studies.question import load_study
from glioforge.studies.record import Cost
from glioforge.studies.task import Task
from toy_study import Work, toy_fold


def fit_nothing():
    """Stands for a training."""


def done(tmp_path, name, seconds, amount, **key):
    """Do a toy task, and say that it took so long for so much."""
    work = Work()
    task = replace(work.task(toy_fold(tmp_path), name, key=key), amount=amount)
    work.do(task)
    path = tmp_path / name / "done.json"
    values = read_json(path)
    values["facts"]["cost"] |= {"seconds": seconds, "peak_gib": 2.0, "disk_mib": 5.0}
    write_json(path, values)
    return task


def test_estimates_come_from_finished_tasks_of_the_same_function(tmp_path):
    """Scaled by the amount of work; those with the same kind of method first, and the rule where there are none."""
    task = done(tmp_path, "fold-0/a", 10.0, 100.0, method={"kind": "unet"})
    done(tmp_path, "fold-0/b", 40.0, 100.0, method={"kind": "other"})
    past = list(past_of(tmp_path / "tasks"))

    same = estimated(replace(task, amount=200.0), past)
    mixed = estimated(replace(task, key={}, amount=200.0), past)
    rule, training = (estimated(replace(task, run=run, amount=200.0), [], []) for run in (task.run, fit_nothing))
    assert (same.cost.seconds, same.cost.peak_gib, same.cost.disk_mib, same.basis) == (20.0, 2.0, 5.0, "like 1 done")
    assert (mixed.cost.seconds, mixed.basis) == (50.0, "like 2 done")
    assert (rule.cost.seconds, rule.basis, rule.trains) == (60.0, "rule", False)
    assert (training.cost.seconds, training.trains) == (60.0, True)


def test_damaged_records_are_passed_over(tmp_path):
    """An estimate is no reason to stop."""
    done(tmp_path, "fold-0/a", 10.0, 1.0)
    (tmp_path / "fold-0" / "a" / "done.json").write_text("{", encoding="utf-8")

    assert list(past_of(tmp_path / "tasks")) == []


def test_a_plan_is_printed_with_its_sums_and_its_rule():
    """What is done does not count."""
    tasks = [
        PlannedTask("fold-0/a", True, Cost(50.0, 9.0, 1.0)),
        PlannedTask("fold-0/b", False, Cost(7200.0, 1.0, 512.0), "like 2 done"),
        PlannedTask("fold-0/c", False, Cost(7200.0, 2.0, 512.0), "rule"),
    ]
    lines = plan_lines(tasks, 2)

    assert lines[0] == "plan: 3 tasks, 1 done; 0 trainings"
    assert lines[1].split() == ["fold-0/a", "done", "50", "s", "9.0", "GiB", "1.0", "MiB"]
    assert lines[3].endswith("rule")
    assert "4.0 h of work, about 2.0 h with 2 at a time; up to 4.0 GiB of memory, 1.0 GiB of disk" in lines[4]
    assert lines[5].startswith("rule: 0.3 s for a training step")
    assert plan_lines([], 1)[0] == "plan: 0 tasks, 0 done; 0 trainings"


def test_studies_of_papers_are_estimated_by_what_was_measured(tmp_path):
    """Their small budgets on phantoms, with making and preparing the cases; the papers' own budgets are not."""
    small, large = (
        plan_study(
            load_study("foroozandeh_eklund", [f"budget={name}", "parallel.workers=2"], phantoms=True), tmp_path / "run"
        )
        for name in ("smoke", "paper")
    )
    known = {task.name: task for task in small}

    assert [(small[place].name, small[place].basis) for place in (0, 1, -1)] == [
        ("start", "measured"),
        ("cases", "measured"),
        ("report", "measured"),
    ]
    assert known["fold-0/scores/real-seven/seed-0"].basis == "measured"
    assert not known["fold-0/scores/real-seven/seed-0"].trains
    assert {task.basis for task in small} == {"measured"}
    assert sum(task.cost.seconds for task in small) / 2 < expected_seconds(small, 2) < 3600
    assert {task.basis for task in large} == {"rule"}
    assert "not counted" not in " ".join(plan_lines(small, 2))


@pytest.mark.parametrize("name", ["han2018", "shin2018", "carver-likeness"])
def test_small_budgets_on_scans_are_estimated_by_what_was_measured(name):
    """Comparisons keep no budget's name: a coarse grid tells them from the papers' own budgets."""
    assert _measured(load_study(name, ["budget=small"]))
    assert not _measured(load_study(name, ["budget=paper"]))


def test_time_that_does_not_depend_on_steps_is_kept_apart(tmp_path):
    """Twice the steps take twice the training, not twice the reading of cases."""
    task = Task("fold-0/a", "a", toy_fold(tmp_path), plan_study, amount=100.0)
    past = [Past("glioforge.studies.forecast.plan_study", frozenset(), 0.5, 1.0, 1.0, fixed=30.0)]

    assert estimated(task, past).cost.seconds == 80.0
    assert estimated(replace(task, amount=200.0), [], past).basis == "measured"


def test_the_nearest_length_counts_and_larger_scans_take_longer_to_score(tmp_path):
    """Validations take another share of a longer training; scoring grows with the root of the voxels."""
    task = Task("fold-0/a", "a", toy_fold(tmp_path), plan_study, amount=50.0, inputs=("test",))
    name = "glioforge.studies.forecast.plan_study"
    past = [Past(name, frozenset(), own, 1.0, 1.0, amount=amount) for own, amount in ((0.4, 10.0), (0.2, 60.0))]

    assert estimated(task, past).cost.seconds == 10.0
    assert estimated(task, [], past, larger=4.0).cost.seconds == 20.0
    assert estimated(replace(task, inputs=("train",)), [], past, larger=4.0).cost.seconds == 10.0


def test_two_workers_wait_for_what_tasks_need():
    """A chain of tasks takes as long as its parts; cases are shared by the workers, the page is not."""
    plan = [
        PlannedTask("cases", False, Cost(10.0, 1.0)),
        PlannedTask("a", False, Cost(6.0, 1.0)),
        PlannedTask("b", False, Cost(4.0, 1.0), needs=("a",)),
        PlannedTask("c", False, Cost(3.0, 1.0)),
        PlannedTask("d", True, Cost(99.0, 1.0)),
        PlannedTask("report", False, Cost(2.0, 1.0)),
    ]

    assert expected_seconds(plan, 2) == 5.0 + 10.0 + 2.0
    assert expected_seconds(plan, 1) == 10.0 + 13.0 + 2.0
    assert expected_seconds([], 2) == 0.0
