"""Promises of a training run: sides are apart, and it can be estimated before it is begun."""

import json
from dataclasses import replace

import pytest

from glioforge.compute.parallel import ParallelSpec
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, LeakageError, SpecError
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Silent
from glioforge.runs.segment import segment_folder
from glioforge.runs.synthesize import make_synthetic
from glioforge.runs.train import TrainingRunSpec, divide, estimate_training, run_training
from glioforge.synthesis.base import load_synthesizer
from toy_cohort import toy_cohort

COMMON = {
    "budget": {"steps": 6, "validate_every": 3, "checkpoint_every": 3},
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}
SPADE = {"kind": "spade", "ngf": 2, "hidden": 4, "critic_width": 2, "critic_layers": 2, "batch_size": 2}
SHORT = {"synthesizer": 800, "segmenter": 1000}
UNET = {"kind": "unet", "widths": [4, 8], "batch_size": 2}


def spec(**changes):
    """A run of one model."""
    return TrainingRunSpec.model_validate({**COMMON, **changes})


def test_synthesizer_and_segmenter_are_estimated_without_a_trace(tmp_path, monkeypatch):
    """Both networks of the one, the network and its average of the other."""
    monkeypatch.chdir(tmp_path)
    cohort = toy_cohort(range(6))
    made = estimate_training(cohort, spec(synthesizer=SPADE))
    assert {"generator", "critic"} <= set(made.parameters)
    assert made.shapes["images"][:2] == (2, 2)
    segmenter = estimate_training(cohort, spec(segmenter=UNET))
    assert set(segmenter.parameters) == {"network", "average"}
    assert segmenter.validation_s > 0
    assert segmenter.activations > segmenter.weights
    assert estimate_training(cohort, spec(synthesizer={"kind": "painted"})) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("family", "model"), [("synthesizer", SPADE), ("segmenter", UNET)])
def test_a_model_trains_as_long_as_its_preset_says_unless_the_run_says_otherwise(family, model):
    """The budget of the run goes first; without one the preset's schedule is kept, in steps or in epochs."""
    cohort = toy_cohort(range(6))
    own = {**model, "budget": {"steps": 40, "validate_every": 20}}
    epochs = {**model, "lesion_share": 0.0, "budget": {"steps": None, "epochs": 3, "validate_every": 1000}}
    passes = estimate_training(cohort, spec(**{family: epochs}, budget=None)).budget

    assert estimate_training(cohort, spec(**{family: own})).budget.steps == 6
    assert estimate_training(cohort, spec(**{family: own}, budget=None)).budget.steps == 40
    assert estimate_training(cohort, spec(**{family: model}, budget=None)).budget.steps == SHORT[family]
    assert passes.steps == 3 * passes.validate_every
    assert passes.validate_every == 20


def test_a_case_made_from_a_subject_of_another_side_stops_the_run(tmp_path):
    """Synthetic cases are no subjects of their own: their parents count."""
    cohort = toy_cohort(range(6))
    parents = {ref.case_id: ref.lineage for ref in cohort}
    first = next(iter(cohort))
    made = replace(first, case_id="made-1", subject_id="made-1", lineage=Lineage.synthetic("spade", parents, seed=1))
    mixed = Cohort("mixed", (*cohort, made), cohort.scheme)
    with pytest.raises(LeakageError, match="made-1"):
        run_training(mixed, spec(segmenter=UNET), tmp_path / "out", progress=Silent())
    assert not (tmp_path / "out").exists()


def prepared(cohort, preparation):
    """The cohort as if it had been prepared with these settings."""
    refs = tuple(replace(ref, facts={"preparation": preparation}) for ref in cohort)
    return Cohort(cohort.name, refs, cohort.scheme)


def test_a_synthesizer_refuses_maps_prepared_otherwise_and_hands_its_own_preparation_on(tmp_path):
    """Before anything is written; maps prepared alike, or that don't tell, are taken."""
    cohort = toy_cohort(range(6))
    folder = tmp_path / "model"
    model = spec(synthesizer={"kind": "painted"})
    run_training(prepared(cohort, "a"), model, folder, progress=Silent())
    synthesizer = load_synthesizer(folder)
    assert synthesizer.preparations == ("a",)
    with pytest.raises(CohortError, match="prepared with other settings than the model's training cases: s00-1, s01-1"):
        make_synthetic(prepared(cohort, "b"), synthesizer, None, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    for name, maps in (("alike", prepared(cohort, "a")), ("untold", cohort)):
        made = make_synthetic(maps, synthesizer, None, tmp_path / name)
        assert {ref.facts["preparation"] for ref in made} == {"a"}


def test_a_segmenter_refuses_cases_prepared_otherwise(tmp_path):
    """The same law; toy cases that don't tell how they were prepared are labelled."""
    cohort = toy_cohort(range(6))
    folder = tmp_path / "model"
    budget = {"steps": 1, "validate_every": 1}
    run_training(prepared(cohort, "a"), spec(segmenter=UNET, budget=budget), folder, progress=Silent())
    how = {"parallel": ParallelSpec(), "progress": Silent()}
    with pytest.raises(CohortError, match="prepared with other settings.*; expected preparation a; prepare the scans"):
        segment_folder(prepared(cohort, "b"), folder, tmp_path / "refused", **how)
    assert not (tmp_path / "refused").exists()
    assert len(segment_folder(cohort, folder, tmp_path / "masks", **how)) == 6


TINY = {"segmenter": UNET, "budget": {"steps": 2, "validate_every": 1}}


def trained_on(folder):
    """Subjects of each side of a training."""
    return json.loads((folder / "split.json").read_text())


def test_a_model_may_train_on_all_subjects(tmp_path):
    """No test and no validation subject: the last weights are kept, and no score is noted."""
    line = run_training(toy_cohort(range(3)), spec(**TINY, test=0, validation=0), tmp_path / "all")
    assert line.startswith("trained on 3 subjects, 0 for validation, 0 kept away for testing")
    assert trained_on(tmp_path / "all") == {"train": ["s00", "s01", "s02"], "validation": [], "test": []}
    card = json.loads((tmp_path / "all" / "card.json").read_text())["training"]
    assert (card["outcome"]["best_step"], card["outcome"]["best_score"]) == (2, None)


def test_subjects_may_be_named_for_each_side_also_by_the_split_of_another_training(tmp_path):
    """Without `train`, all others are trained on; with it, they are left out."""
    cohort = toy_cohort(range(5))
    named = {"test": ["s01"], "validation": ["s03"]}
    first = divide(spec(**TINY, subjects=named), cohort)
    assert [side.subject_ids for side in (first.train, first.validation, first.test)] == [
        ("s00", "s02", "s04"),
        ("s03",),
        ("s01",),
    ]
    file = tmp_path / "split.json"
    file.write_text(json.dumps({**named, "train": ["s00"]}))
    second = divide(spec(**TINY, subjects=str(file)), cohort)
    assert (second.train.subject_ids, second.test.subject_ids) == (("s00",), ("s01",))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"subjects": {"test": ["s09"]}}, CohortError, "unknown subjects .'s09'."),
        ({"subjects": {"test": ["s01"], "validation": ["s01"]}}, CohortError, "subjects on two sides"),
        ({"subjects": {"test": ["s00", "s01", "s02"]}}, CohortError, "no subject to train on"),
        ({"validation": 0, "budget": {"steps": 4, "patience": 2}}, SpecError, "budget.patience 2 without validation"),
    ],
)
def test_impossible_sides_are_refused_before_anything_is_written(tmp_path, changes, error, message):
    """Each with what was found."""
    with pytest.raises(error, match=message):
        run_training(toy_cohort(range(3)), spec(**{**TINY, **changes}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_shares_that_leave_nobody_to_train_on_are_no_settings():
    """So that a dry run refuses them as well."""
    with pytest.raises(ValueError, match="leave no subject to train on"):
        spec(**TINY, test=0.6, validation=0.5)


def test_a_segmenter_of_several_views_is_found_done_by_the_same_command(tmp_path):
    """Its steps lie in the folders of its views, and its card above them."""
    two = spec(segmenter={**UNET, "views": ["axial", "coronal"]}, budget={"steps": 1, "validate_every": 1})
    lines = {run_training(toy_cohort(range(4)), two, tmp_path / "model") for _ in range(2)}
    assert len(lines) == 1
