"""Filters that ask for a trained model: a study trains it on training subjects, or refuses it as its YAML is read."""

from dataclasses import replace
from functools import partial

import pytest
from pydantic import ValidationError

from glioforge.core import SpecError, split_by_subject
from glioforge.features import train_encoder
from glioforge.io import read_json
from glioforge.quality.base import FILTERS
from glioforge.runs.whole import WholeSpec
from glioforge.segmentation.base import SEGMENTERS
from glioforge.studies.perform import perform
from glioforge.studies.question import parse_study, planned
from glioforge.studies.steps import screen, synthesize, train
from glioforge.studies.task import Task
from glioforge.synthesis.base import SYNTHESIZERS
from glioforge.training.budget import Budget
from noting_progress import NotingProgress
from toy_arms import MORE, REAL, study
from toy_cohort import toy_cohort
from toy_study import toy_fold

AGREEMENT = {"kind": "segmenter_agreement"}
PAINT = {"kind": "synthesizer", "synthesizer": {"kind": "painted"}, "filters": [AGREEMENT]}
SPLIT = split_by_subject(toy_cohort(range(9)), test=0.12, validation=0.12, seed=1)
SEGMENTER = SEGMENTERS.parse({"kind": "unet", "widths": [4, 8], "batch_size": 2})


def fold_of(root):
    """Seven training subjects, one for validation and one for testing."""
    return replace(toy_fold(root), planned=SPLIT)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A fold, and the records of a generator, of its cases and of the segmenter for filters."""
    fold, records = fold_of(tmp_path_factory.mktemp("screen")), {}
    painted = {"synthesizer": SYNTHESIZERS.parse("painted"), "seed": 1}
    made = {"source": "generator", "recipe": None, "count": 1, "seed": 1}
    segmenter = {"segmenter": SEGMENTER, "budget": Budget(steps=2, validate_every=1, patience=1), "seed": 1}
    for task in (
        Task("generator", "generator", fold, train.fit_synthesizer, painted),
        Task("cases", "cases", fold, synthesize.make_cases, made, ("train",), ("generator",)),
        Task("screener", "screener", fold, screen.fit_screener, segmenter, ("train",)),
    ):
        records[task.name] = perform(task, {name: records[name] for name in task.needs}, NotingProgress())
    return fold, records


def screened(done, *filters, **key):
    """Record of a screening by these filters."""
    fold, records = done
    specs = tuple(FILTERS.parse(values) for values in filters)
    settings = {"filters": specs, "seed": 1, **key}
    task = Task("synthetic", "synthetic", fold, screen.screen_cases, settings, ("train",), ("cases", "screener"))
    return perform(task, {name: records[name] for name in task.needs}, NotingProgress())


def test_the_segmenter_of_filters_learns_from_some_training_subjects_and_is_limited_by_the_others(done):
    """Nobody on the validation or test side is behind it, nor three training subjects, for whom the limit is left."""
    fold, records = done
    model = train.open_segmenter(fold.study.root / "screener", fold.study.spec.accelerator)
    record = screened(done, AGREEMENT)

    assert set(model.lineage.subjects) < set(SPLIT.train.subject_ids)
    assert len(model.lineage.subjects) == len(SPLIT.train.subject_ids) - 3
    assert records["screener"].training.steps == 2
    assert record.notes == ()
    assert {row["filter"] for row in record.details["verdicts"]} == {"segmenter_agreement"}
    assert set(record.lineage.subjects) >= set(SPLIT.train.subject_ids)


def test_an_encoder_is_trained_where_the_cases_are_screened(done, monkeypatch, tmp_path):
    """On the training subjects alone."""
    monkeypatch.setattr(screen, "train_encoder", partial(train_encoder, steps=2))
    fold = fold_of(tmp_path)
    for name in ("cases", "screener"):
        (tmp_path / name).symlink_to(done[0].study.root / name)
    record = screened((fold, done[1]), {"kind": "feature_outlier", "space": "encoder"})

    card = tmp_path / "synthetic" / screen.ENCODER / "card.json"
    assert record.notes == ()
    assert record.details["verdicts"]
    assert set(read_json(card)["lineage"]["subjects"]) == set(SPLIT.train.subject_ids)


def test_too_few_subjects_for_a_segmenter_and_a_limit_are_noted(done, tmp_path):
    """The filter is left out, and the cases are kept."""
    subjects, fold = SPLIT.train.subject_ids[:3], fold_of(tmp_path)
    (tmp_path / "cases").symlink_to(done[0].study.root / "cases")
    key = {"segmenter": SEGMENTER, "budget": Budget(steps=2), "seed": 1, "subjects": subjects}
    none = perform(Task("screener", "screener", fold, screen.fit_screener, key, ("train",)), {}, NotingProgress())
    record = screened((fold, {**done[1], "screener": none}), AGREEMENT, subjects=subjects)

    assert none.training is None
    assert "3 training subjects for a segmenter that filters ask; expected some to train it on" in none.notes[0]
    assert record.notes == none.notes
    assert record.details["kept"] == record.details["made"]


def test_one_segmenter_is_planned_for_all_filters_of_a_draw_that_ask_for_it(tmp_path):
    """It reads the training side alone and has the study's settings; without such a filter there is none."""
    filters = [AGREEMENT, {"kind": "feature_outlier", "space": "encoder"}]
    arms = (REAL, MORE, {**MORE, "name": "other", "source": "other"})
    spec = study(arms, filters=filters, sources={"other": PAINT})
    tasks = {task.name: task for task in planned(spec, [toy_fold(tmp_path)])}
    curve = planned(study(arms[:2], filters=filters, curve={"subjects": [1, 2]}), [toy_fold(tmp_path)])
    without = planned(study(arms[:2], filters=filters[1:]), [toy_fold(tmp_path)])

    assert [name for name in tasks if "screener" in name] == ["fold-0/screener"]
    one = tasks["fold-0/screener"]
    assert (one.inputs, one.needs, one.trains) == (("train",), (), True)
    assert (one.key["segmenter"], one.key["budget"].steps) == (spec.segmenter, 12)
    for name in ("generator", "other"):
        assert one.name in tasks[f"fold-0/synthetic/{name}"].needs
    assert len([task for task in curve if task.kind == "screener"]) == 2
    assert not [task for task in without if task.kind == "screener"]


def test_routes_of_an_anonymisation_study_share_it(tmp_path):
    """With the segmenter of the study."""
    unet = {"kind": "unet", "preset": "sound", "widths": [4, 8]}
    values = {
        "kind": "anonymisation",
        "name": "tiny",
        "title": "Tiny",
        "sources": {"own": PAINT, "twin": PAINT},
        "routes": {"own": "Own", "twin": "Twin"},
        "budgets": {"small": {}},
    }
    spec = parse_study({**values, "segmenter": unet}, "tiny")
    tasks = planned(spec, [toy_fold(tmp_path)])

    assert [task.name for task in tasks if task.kind == "screener"] == ["fold-0/screener"]
    with pytest.raises(SpecError, match="source 'own': filter 'segmenter_agreement' asks for a trained segmenter, whi"):
        parse_study(values, "tiny")


def test_a_model_that_nothing_trains_is_refused_when_the_settings_are_read():
    """A study of classifiers has no segmenter; whole cases are made with the models that their file names."""
    classify = {
        "kind": "classification",
        "name": "tiny",
        "title": "Tiny",
        "sources": {"generator-2": PAINT},
        "arms": [REAL, {**MORE, "source": "generator-2"}],
        "budgets": {"small": {}},
    }
    with pytest.raises(SpecError, match="glioforge filter --model segmenter=FOLDER"):
        parse_study(classify, "tiny")
    asked = {"sampler": "a", "train": "b", "synthesizer": "c", "image_filters": [AGREEMENT]}
    with pytest.raises(ValidationError, match="'segmenter_agreement' asks for a trained segmenter: name its folder"):
        WholeSpec.model_validate(asked)
    assert WholeSpec.model_validate({**asked, "models": {"segmenter": "d"}}).models
