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


def spec(patience, views=("axial",), arms=ARMS):
    """A study of two arms with three seeds, twelve steps at most."""
    segmenter = {"steps": 12, "validate_every": 2, "patience": patience}
    return AugmentationSpec.model_validate(
        {
            "name": "tiny",
            "title": "Tiny",
            "recipe": {"name": "none", "steps": []},
            "synthesizer": {"kind": "class_intensity"},
            "control": {"kind": "class_intensity"},
            "segmenter": {"kind": "unet", "views": list(views)},
            "arms": arms,
            "budgets": {"small": {"generator": {"steps": 2}, "segmenter": segmenter}},
            "accelerator": HOW,
        }
    )


@dataclass
class Trainings:
    """Stands for all trainings of a study, each of which it notes; the score stops rising at a given step."""

    levels_off: int
    made: dict = field(default_factory=dict)

    def train(self, train, validation, segmenter, folder, *, budget, **_):
        """Note length and schedule of one training."""
        stopped = budget.patience is not None and self.levels_off < budget.steps
        steps = self.levels_off if stopped else budget.steps
        self.made[folder.resolve()] = (steps, budget.steps)
        outcome = Outcome(steps, steps, 0.5, stopped, 0.0, 0, ({"step": steps, "score": 0.5},))
        return SimpleNamespace(outcome=outcome, parameter_count=1, weights_hash=f"{len(self.made)}")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Does the trainings of a plan of one fold with scripted trainings; other tasks are taken as done."""

    def run(settings, levels_off, kept=(SPLIT.train.cases[0].case_id,)):
        trainings = Trainings(levels_off)
        monkeypatch.setattr(train, "train_segmenter", trainings.train)
        monkeypatch.setattr(arm, "cohort_in", lambda _: SPLIT.train)
        fold = toy_fold(tmp_path)
        fold = replace(fold, study=replace(fold.study, spec=settings))
        records = {}
        for task in planned(settings, [fold]):
            records[task.name] = replace(task.empty_record, made={"kept": list(kept)})
            if task.kind in {"pilot", "segmenter"}:
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


def test_a_pilot_that_used_the_budget_up_is_the_first_seed_itself(study, tmp_path):
    """Its schedule is that of the others, so it is not trained again; the folder of the seed links to its model."""
    made, records = study(spec(2), levels_off=50)
    pilot = (tmp_path / "fold-0" / "pilot" / "model").resolve()

    assert set(made.values()) == {(12, 12)}
    assert len(made) == 6
    assert pilot in made
    assert (tmp_path / "fold-0" / "segmenters" / "real" / "seed-0" / "model").resolve() == pilot
    assert not records["fold-0/pilot"].training.plateaued


def test_a_pilot_of_several_views_is_never_taken_for_the_first_seed(study):
    """One view may have levelled off before the other."""
    made, _ = study(spec(2, views=("axial", "coronal")), levels_off=50)
    assert len(made) == 7


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
