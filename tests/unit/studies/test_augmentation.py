"""Promises of `studies.questions.augmentation`: arms of a fold share their steps, and no fold waits for another."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from glioforge.core.protocols import Silent
from glioforge.studies.comparing import SegmentersSpec
from glioforge.studies.perform import perform
from glioforge.studies.question import planned
from glioforge.studies.spec import AugmentationSpec, StudyBudget
from glioforge.studies.steps import arm, train
from glioforge.training.budget import Outcome
from toy_study import HOW, SPLIT, toy_fold

ARMS = [
    {"name": "real", "title": "Real"},
    {"name": "more", "title": "More", "source": "generator", "synthetic_share": 0.5},
]


def spec(patience, views=("axial",), arms=ARMS, **more):
    """A study of two arms with three seeds, twelve steps at most."""
    segmenter = {"steps": 12, "validate_every": 2, "patience": patience}
    return AugmentationSpec.model_validate(
        {
            "name": "tiny",
            "title": "Tiny",
            "recipe": {"name": "none", "steps": []},
            "synthesizer": {"kind": "painted"},
            "control": {"kind": "painted"},
            "segmenter": {"kind": "unet", "views": list(views)},
            "arms": arms,
            "budgets": {"small": {"generator": {"steps": 2}, "segmenter": segmenter, **more.pop("budget", {})}},
            "accelerator": HOW,
            **more,
        }
    )


@dataclass
class Trainings:
    """Stands for all trainings of a study, each of which it notes; the score stops rising at a given step."""

    levels_off: int
    made: dict = field(default_factory=dict)
    given: dict = field(default_factory=dict)

    def train(self, train, validation, segmenter, folder, *, budget, **more):
        """Note length and schedule of one training."""
        self.given[str(folder.parent.resolve())] = {"train": train, "segmenter": segmenter, **more}
        stopped = budget.patience is not None and self.levels_off < budget.steps
        steps = self.levels_off if stopped else budget.steps
        self.made[folder.resolve()] = (steps, budget.steps)
        outcome = Outcome(steps, steps, 0.5, stopped, 0.0, 0, ({"step": steps, "score": 0.5},))
        return SimpleNamespace(outcome=outcome, parameter_count=1, weights_hash=f"{len(self.made)}")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Does the trainings of a plan of one fold with scripted trainings; other tasks are taken as done."""

    def run(settings, levels_off, kept=(SPLIT.train.cases[0].case_id,)):
        run.last = trainings = Trainings(levels_off)
        monkeypatch.setattr(train, "train_segmenter", trainings.train)
        monkeypatch.setattr(arm, "cohort_in", lambda _: SPLIT.train)
        fold = toy_fold(tmp_path)
        fold = replace(fold, study=replace(fold.study, spec=settings))
        records = {}
        for task in planned(settings, [fold]):
            records[task.name] = replace(task.empty_record, made={"kept": list(kept)})
            if task.kind in {"pilot", "trial", "segmenter"}:
                records[task.name] = perform(task, {name: records[name] for name in task.needs}, Silent())
        return trainings.made, records

    return run


def test_every_arm_and_seed_has_the_steps_and_the_schedule_that_the_pilot_found(study, tmp_path):
    """The pilot levels off at 4 of 12 steps; then the baseline too falls to its last rate within 4 steps."""
    made, records = study(spec(2), levels_off=4)

    assert made.pop((tmp_path / "fold-0" / "pilot" / "model").resolve()) == (4, 12)
    assert len(made) == 6
    assert set(made.values()) == {(4, 4)}
    assert records["fold-0/pilot"].training.plateaued
    assert {record.training.steps for record in records.values() if record.kind == "segmenter"} == {4}


def test_the_trial_run_is_thrown_away(study, tmp_path):
    """Also where it used the budget up: the baseline's first seed is a training of its own, with another seed."""
    made, records = study(spec(2), levels_off=50)
    pilot = (tmp_path / "fold-0" / "pilot" / "model").resolve()
    tasks = {task.name: task.key for task in planned(spec(2), [toy_fold(tmp_path)])}

    assert set(made.values()) == {(12, 12)}
    assert len(made) == 7
    assert (tmp_path / "fold-0" / "segmenters" / "real" / "seed-0" / "model").resolve() != pilot
    assert tasks["fold-0/pilot"]["seed"] not in {key.get("seed") for name, key in tasks.items() if "seed-" in name}
    assert not records["fold-0/pilot"].training.plateaued


def test_without_patience_there_is_no_pilot(study):
    """All train to the budget's last step."""
    made, records = study(spec(None), levels_off=4)
    assert set(made.values()) == {(12, 12)}
    assert len(made) == 6
    assert not any(record.kind == "pilot" for record in records.values())


def test_an_arm_without_a_case_that_passed_the_filters_is_left_out(study):
    """With the reason; the baseline is trained."""
    made, records = study(spec(None), levels_off=4, kept=())

    assert len(made) == 3
    assert {r.left_out for r in records.values() if r.arm == "more" and r.kind == "segmenter"} == {
        "no case of the generator passed the quality check"
    }


def test_amounts_are_nested_and_copies_are_the_real_cases(study, tmp_path):
    """A quarter lies within a half; more than there are is noted; copies need no source; cases count alike."""
    ids = tuple(ref.case_id for ref in SPLIT.train)
    real = len(ids)
    amounts = {"half": {"multiple": 2 / real}, "quarter": {"multiple": 1 / real}, "many": {"cases": 50}}
    arms = [ARMS[0]]
    arms += [{"name": n, "title": n, "source": "generator", "amount": amount} for n, amount in amounts.items()]
    arms += [{"name": "copied", "title": "Copied", "source": "again", "amount": {"multiple": 3}}]
    settings = spec(None, arms=arms, sources={"again": {"kind": "copies"}}, budget={"seeds": 1})
    _, records = study(settings, levels_off=4, kept=ids)
    given = study.last.given

    def of(arm):
        return next(value for key, value in given.items() if key.endswith(records_place(tmp_path, arm)))

    taken = {arm: {ref.case_id for ref in of(arm)["synthetic"]} for arm in ("half", "quarter", "many", "copied")}
    assert len(taken["quarter"]) == 1
    assert taken["quarter"] < taken["half"] < taken["many"] == set(ids) == taken["copied"]
    assert of("half")["synthetic_share"] == pytest.approx(2 / (2 + real))
    assert of("copied")["synthetic_share"] == pytest.approx(0.75)
    note = f"arm many asks for 50 synthetic cases, and {real} were left by the filters"
    assert records["fold-0/segmenters/many/seed-0"].notes == (note,)


def records_place(tmp_path, arm):
    """Name of the folder of the first training of an arm."""
    return (tmp_path / "fold-0" / "segmenters" / arm / "seed-0").resolve().name


def test_fine_tuning_sees_few_real_subjects_and_exposure_takes_more_steps(study, tmp_path):
    """The last steps alone; weights are averaged over the share asked for."""
    schedule = {"real_steps": 0.25, "real_share": 0.4, "average": 0.5}
    tuned = {"name": "tuned", "title": "T", "source": "generator", "synthetic_share": 1, "schedule": schedule}
    settings = spec(None, arms=[*ARMS, tuned], budget={"seeds": 1, "match": "exposure"})
    made, records = study(settings, levels_off=4, kept=tuple(ref.case_id for ref in SPLIT.train))
    given = study.last.given[str((tmp_path / "fold-0" / "segmenters" / "tuned" / "seed-0").resolve())]

    assert given["real_steps"] == 0.25
    assert len(given["train"].subject_ids) == 1 == records["fold-0/segmenters/tuned/seed-0"].details["real_subjects"]
    assert given["segmenter"].ema == pytest.approx(1 - 1 / 6)
    steps = {arm: records[f"fold-0/segmenters/{arm}/seed-0"].training.steps for arm in ("real", "more", "tuned")}
    assert steps == {"real": 12, "more": 24, "tuned": 12}
    assert len(made) == 3


def test_the_best_tuning_trial_is_taken(study):
    """By its validation score; the first of equal ones, and as many for every arm."""
    changes = [{"optimizer.learning_rate": 0.01}, {"optimizer.learning_rate": 0.02}]
    _, records = study(spec(None, tuning=changes, budget={"seeds": 1}), levels_off=4)
    told = [records[f"fold-0/segmenters/{arm}/seed-0"].details for arm in ("real", "more")]

    assert [details["tuning_trials"] for details in told] == [2, 2]
    assert [details["tuned"] for details in told] == [changes[0]] * 2
    rates = {given["segmenter"].optimizer.learning_rate for given in study.last.given.values()}
    assert rates == {0.01, 0.02}


def test_no_fold_waits_for_another(tmp_path):
    """Whatever an arm of one fold needs, and what that needs, lies in the same fold."""
    tasks = {task.name: task for task in planned(spec(2), [toy_fold(tmp_path, index=index) for index in range(2)])}

    assert {task.fold.index for task in tasks.values()} == {0, 1}
    for task in tasks.values():
        assert {tasks[name].fold.index for name in task.needs} <= {task.fold.index}
    names = list(tasks)
    assert names.index("fold-0/segmenters/more/seed-0") < names.index("fold-1/generator")


def test_an_arm_that_is_added_trains_no_other_again(tmp_path):
    """The study's own key does not name the arms, and no task's key those of another arm."""
    third = {"name": "third", "title": "Third", "source": "control", "synthetic_share": 0.5}
    before, after = spec(2), spec(2, arms=[*ARMS, third])
    keys = [{task.name: (task.key, task.needs) for task in planned(s, [toy_fold(tmp_path)])} for s in (before, after)]

    assert before.identity() == after.identity()
    assert keys[1].items() >= keys[0].items()
    assert keys[1].keys() - keys[0].keys() >= {"fold-0/control", "fold-0/scores/third/seed-0"}


def test_studies_train_three_seeds_unless_told():
    """One run of each arm shows nothing about chance."""
    budget = StudyBudget.model_validate({"generator": {}, "segmenter": {}})
    methods = {"a": {"segmenter": {"kind": "unet"}}}
    assert budget.seeds == 3
    assert SegmentersSpec.model_validate({"name": "a", "title": "A", "methods": methods}).seeds == 3
