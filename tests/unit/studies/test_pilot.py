"""Tests of `studies.pilot`: every segmenter of a fold has the steps and the schedule of all others."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Silent
from glioforge.core.split import split_by_subject
from glioforge.studies import pilot, stages
from glioforge.studies.augmentation import Fold, run_stages
from glioforge.studies.comparing import SegmentersSpec
from glioforge.studies.conduct import _record
from glioforge.studies.jobs import StudyFold
from glioforge.studies.record import of_kind
from glioforge.studies.spec import AugmentationSpec, StudyBudget
from glioforge.training.budget import Outcome
from toy_cohort import toy_cohort

SPLIT = split_by_subject(toy_cohort(range(6)), test=0.3, validation=0.2, seed=1)


def spec(patience, views=("axial",)):
    """A study of three arms with three seeds, twelve steps at most."""
    segmenter = {"steps": 12, "validate_every": 2, "patience": patience}
    return AugmentationSpec.model_validate(
        {
            "name": "tiny",
            "title": "Tiny",
            "recipe": {"name": "none", "steps": []},
            "synthesizer": {"kind": "class_intensity"},
            "control": {"kind": "class_intensity"},
            "segmenter": {"kind": "unet", "views": list(views)},
            "arms": [
                {"name": "real", "title": "Real"},
                {"name": "more", "title": "More", "source": "generator", "synthetic_share": 0.5},
            ],
            "budgets": {"small": {"generator": {"steps": 2}, "segmenter": segmenter}},
            "parallel": {"workers": 1},
        }
    )


@dataclass
class Trainings:
    """Stands for all trainings of a study, each of which it notes; the score stops rising at a given step."""

    levels_off: int

    def __post_init__(self):
        self.made = {}

    def train(self, segmenter, train, validation, folder, *, budget, **_):
        """Note length and schedule of one training."""
        stopped = budget.patience is not None and self.levels_off < budget.steps
        steps = self.levels_off if stopped else budget.steps
        self.made[folder] = (steps, budget.steps)
        history = ({"step": steps, "score": 0.5},)
        return SimpleNamespace(outcome=Outcome(steps, steps, 0.5, stopped, 0.0, 0, history))


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Runs the stages of a study of one fold with scripted trainings."""

    def run(settings, levels_off):
        trainings = Trainings(levels_off)
        for module in (pilot, stages):
            monkeypatch.setattr(module, "train_segmenter", trainings.train)
        monkeypatch.setattr(StudyFold, "split", lambda self: SPLIT)
        monkeypatch.setattr(stages, "load_segmenter", lambda *_: SimpleNamespace(lineage=Lineage.real("toy", "nobody")))
        monkeypatch.setattr(stages, "read_cohort", lambda folder: SPLIT.test)
        monkeypatch.setattr(stages, "overlap_rows", lambda *_: [])
        monkeypatch.setattr(stages, "_training_cohorts", lambda *_: (SPLIT.train, None))
        for name in ("train_generator", "make_source", "measure_fidelity"):
            monkeypatch.setattr(f"glioforge.studies.augmentation.{name}", _no_stage)
        facts = run_stages(settings, [Fold(settings, tmp_path, 0)], Silent())
        return trainings.made, [_record(fact, settings) for fact in facts]

    return run


def _no_stage(fold, source="", *, progress):
    """A stage that trains nothing and keeps a case."""
    return (
        [{"stage": source, "fold": fold.index, "kept": ["a"], "made": 0, "verdicts": [], "seconds": 0, "peak_gib": 0}]
        if source
        else []
    )


def test_every_arm_and_seed_has_the_steps_and_the_schedule_that_the_pilot_found(study, tmp_path):
    """The pilot levels off at 4 of 12 steps; then the baseline too falls to its last rate within 4 steps."""
    made, facts = study(spec(2), levels_off=4)
    fold = Fold(spec(2), tmp_path, 0)
    assert made.pop(fold.folder.pilot / "model") == (4, 12)
    assert set(made) == {fold.folder.segmenter(arm, seed) for arm in ("real", "more") for seed in range(3)}
    assert set(made.values()) == {(4, 4)}
    (pilot,) = (record.training for record in of_kind(facts, "pilot"))
    assert (pilot.steps, pilot.plateaued) == (4, True)


def test_a_pilot_that_used_the_budget_up_is_the_first_seed_itself(study, tmp_path):
    """Its schedule is that of the others, so it is not trained again; its record says that it was stopped short."""
    made, facts = study(spec(2), levels_off=50)
    assert set(made.values()) == {(12, 12)}
    assert len(made) == 6
    assert Fold(spec(2), tmp_path, 0).folder.pilot / "model" in made
    assert [record.training.plateaued for record in of_kind(facts, "pilot")] == [False]


def test_a_pilot_of_several_views_is_never_taken_for_the_first_seed(study):
    """One view may have levelled off before the other."""
    made, _ = study(spec(2, views=("axial", "coronal")), levels_off=50)
    assert len(made) == 7


def test_without_patience_there_is_no_pilot(study):
    """All train to the budget's last step, and no record speaks of a plateau that nobody looked for."""
    made, facts = study(spec(None), levels_off=4)
    assert set(made.values()) == {(12, 12)}
    assert len(made) == 6
    assert not of_kind(facts, "pilot")


def test_studies_train_three_seeds_unless_told():
    """One run of each arm shows nothing about chance."""
    budget = StudyBudget.model_validate({"generator": {}, "segmenter": {}})
    methods = {"a": {"segmenter": {"kind": "unet"}}}
    assert budget.seeds == 3
    assert SegmentersSpec.model_validate({"name": "a", "title": "A", "methods": methods}).seeds == 3
