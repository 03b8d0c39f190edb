"""Promises of `studies.steps`: tasks train, synthesize, screen, segment and score what they say, and record it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from glioforge.core import Modality, SpecError
from glioforge.io.cohort_file import read_cohort
from glioforge.labelmaps.spec import LabelMapSpec
from glioforge.lesions.recipe import RecipeSpec
from glioforge.mixing.base import MIXINGS
from glioforge.quality.base import FILTERS
from glioforge.segmentation.base import SEGMENTERS
from glioforge.studies.perform import perform
from glioforge.studies.record import Record, Training
from glioforge.studies.steps import arm, drawn, fresh, mix, score, segment, series, synthesize, train
from glioforge.studies.steps.screen import screen_cases
from glioforge.studies.task import Context, Task
from glioforge.synthesis.base import SYNTHESIZERS
from glioforge.training.budget import Budget
from noting_progress import NotingProgress
from toy_study import SPLIT, toy_fold

RECIPE = RecipeSpec(name="as they are", steps=())
AWAY = RecipeSpec.model_validate(
    {"name": "Off the grid", "steps": [{"edit": {"kind": "translate", "distance_mm": [900, 999]}}]}
)
ROW = {"case_id": "a", "subject_id": "a", "region": "WT", "metric": "dice", "value": 1.0, "unit": "1"}


def task_of(fold, kind, run, key, inputs, needs=(), arm=""):  # noqa: PLR0917 - as `done` is called
    """A task named after its kind."""
    return Task(f"fold-0/{kind}", kind, fold, run, key, inputs, tuple(f"fold-0/{need}" for need in needs), arm)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Does a task on one set of toy heads, with the records of tasks done before; returns its record."""
    fold, records = toy_fold(tmp_path_factory.mktemp("steps")), {}

    def do(kind, run, key, inputs, needs=(), arm=""):
        task = task_of(fold, kind, run, key, inputs, needs, arm)
        known = {name: records[name] for name in task.needs}
        records[task.name] = perform(task, known, NotingProgress())
        return records[task.name]

    do.root = fold.study.root
    return do


@pytest.fixture(scope="module")
def generator(done):
    """A synthesizer without a network."""
    key = {"synthesizer": SYNTHESIZERS.parse("painted"), "seed": 1}
    return done("generator", train.fit_synthesizer, key, ("train", "validation"))


@pytest.fixture(scope="module")
def cases(done, generator):
    """Synthetic cases of each training subject."""
    key = {"source": "generator", "recipe": RECIPE, "count": 2, "seed": 1}
    return done("cases", synthesize.make_cases, key, ("train",), ("generator",), "generator")


def test_a_synthesizer_is_fitted_and_opened_without_reading_it_again(done, generator, monkeypatch):
    """One without a network has no steps."""
    assert generator.training == Training()
    monkeypatch.setattr(train, "load_synthesizer", lambda *_: pytest.fail("read again"))
    opened = train.open_synthesizer(done.root / "fold-0" / "generator", toy_fold(done.root).study.spec.accelerator)
    assert generator.made["weights"] == opened.weights_hash


def test_a_segmenter_is_trained_and_opened(done, monkeypatch):
    """With its steps and history; another process reads its weights."""
    spec = SEGMENTERS.parse({"kind": "unet", "widths": [4, 8], "batch_size": 2})
    key = {"segmenter": spec, "budget": Budget(steps=2, validate_every=1, checkpoint_every=2), "seed": 1}
    record = done("segmenter", train.fit_segmenter, key, ("train", "validation"))
    how = toy_fold(done.root).study.spec.accelerator

    assert (record.training.steps, len(record.training.history)) == (2, 2)
    assert record.training.parameters > 0
    monkeypatch.setattr(train, "_open", {})
    opened = train.open_segmenter(done.root / "fold-0" / "segmenter", how)
    assert record.made["weights"] == opened.weights_hash
    assert train.open_segmenter(done.root / "fold-0" / "segmenter", how) is opened


def test_synthetic_cases_are_made_of_training_subjects_and_known_to_be_whole(done, cases):
    """Twice as many as subjects; a changed byte is noticed."""
    folder = done.root / "fold-0" / "cases"
    made = read_cohort(folder / "made")

    assert cases.details == {"made": 2 * len(SPLIT.train)}
    assert cases.made == {"cohort": made.fingerprint}
    assert {parent for ref in made for parent in ref.lineage.parents} == {ref.case_id for ref in SPLIT.train}
    assert synthesize.intact(folder)
    file = min((folder / "made" / "cases").glob("*/images.b2nd"))
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert not synthesize.intact(folder)
    file.write_bytes(data)


def test_filters_keep_cases_and_those_that_cannot_be_fitted_are_noted(done, cases):
    """With every verdict."""
    key = {"filters": (FILTERS.parse({"kind": "plausible_labels"}),), "seed": 1}
    record = done("synthetic", screen_cases, key, ("train",), ("cases",), "generator")

    assert record.details["made"] == cases.details["made"]
    assert record.details["kept"] == len(record.made["kept"])
    assert len(record.details["verdicts"]) + len(record.notes) > 0


def test_a_series_has_every_edit_that_suits_the_map(done):
    """One that suits no place is noted; the original is shown in further draws."""
    key = {"recipes": (RECIPE, AWAY), "seed": 1, "root_seed": 1}
    record = done("series", series.make_series, key, ("train", "test"))
    maps = read_cohort(done.root / "fold-0" / "series")

    assert [ref.case_id for ref in maps] == ["original", "as-they-are"]
    assert record.details["source"] in {ref.case_id for ref in SPLIT.test}
    assert len(record.notes) == 1
    assert record.notes[0].startswith("Off the grid: ")
    names = [case.case_id for case in series.shown_maps(maps, 2)]
    assert names == ["original", "as-they-are", "draw-1", "draw-2"]
    renamed = replace(maps, cases=(replace(maps.cases[0], case_id="draw-1"), maps.cases[1]))
    assert [ref.case_id for ref in series.draws_of(renamed)] == ["draw-1"]


def test_images_of_unseen_maps_are_made_and_scored(done, generator, monkeypatch):
    """By the rows that the scoring gives, with the time for a volume; a series where one is asked for."""
    monkeypatch.setattr(score, "fidelity_rows", lambda *_: [ROW | {"arm": "generator"}])
    monkeypatch.setattr(score, "method_rows", lambda *_: [ROW])
    key = {"seed": 1, "draw_seed": 1, "phantom": None}
    fidelity = done("fidelity", score.compare_reconstructions, key, ("train", "test"), ("generator",))
    assert [row.arm for row in fidelity.rows] == ["generator"]
    assert len(read_cohort(done.root / "fold-0" / "fidelity" / "reconstruction")) == len(SPLIT.test)

    done(
        "synthesizer",
        train.fit_synthesizer,
        {"synthesizer": SYNTHESIZERS.parse("painted"), "seed": 2},
        ("train", "validation"),
    )
    done("series", series.make_series, {"recipes": (RECIPE, AWAY), "seed": 1, "root_seed": 1}, ("train", "test"))
    key = {"seed": 1, "draw_seed": 1, "draws": 1, "shown": 1, "regions": ("WT",), "phantom": None}
    images = done("images", score.score_images, key, ("test",), ("synthesizer", "series"), "painted")
    assert [row.arm for row in images.rows] == ["painted"]
    assert images.cost.seconds_per_volume >= 0
    assert {ref.case_id for ref in read_cohort(done.root / "fold-0" / "images" / "images")} == {
        ref.case_id for ref in SPLIT.test
    }
    assert len(read_cohort(done.root / "fold-0" / "images" / "series")) == 3


def test_segmenters_and_judges_are_scored_on_the_test_side(done, monkeypatch):
    """With the cases as they came for the reference."""
    seen = {}
    for module in (segment, score):
        monkeypatch.setattr(module, "open_segmenter", lambda folder, _: folder.name)
    monkeypatch.setattr(segment, "overlap_rows", lambda *given: seen.update(overlap=given) or [ROW])
    monkeypatch.setattr(score, "judged_rows", lambda *given: seen.update(judged=given) or [ROW | {"arm": score.REAL}])
    fold = toy_fold(done.root / "other")
    model = Record("fold-0/segmenter", "segmenter")
    judge = replace(model, task="fold-0/judge", kind="judge")
    scores = task_of(fold, "scores", segment.score_segmenter, {"regions": ("WT",)}, ("test",), ("segmenter",), "real")
    judged = task_of(fold, "judge-scores", score.judge_scans, {"regions": ("WT",)}, ("test",), ("judge",))

    record = perform(scores, {model.task: model}, NotingProgress())
    scans = perform(judged, {judge.task: judge}, NotingProgress())
    assert ([row.arm for row in record.rows], [row.arm for row in scans.rows]) == (["real"], ["real scans"])
    assert seen["overlap"][1:5] == ((0, "real", 0), "segmenter", fold.split.test, fold.study.source)
    assert seen["judged"][1:] == ((0, "real scans", 0), "judge", fold.split.test)


def test_masks_are_written_and_scored_where_they_name_regions(done, monkeypatch):
    """No mask gives no row; the pace is that of labelling."""
    monkeypatch.setattr(segment, "open_segmenter", lambda folder, _: folder.name)
    monkeypatch.setattr(segment, "segment_cohort", lambda *_, **__: [])
    fold = toy_fold(done.root / "masks", index=0)
    fold = replace(fold, planned=replace(fold.split, test=replace(fold.split.test, cases=())))
    model = Record("fold-0/segmenter", "segmenter")
    task = task_of(fold, "masks", segment.score_masks, {"regions": ("WT",)}, ("test",), ("segmenter",), "narrow")
    record = perform(task, {model.task: model}, NotingProgress())

    assert record.rows == ()
    assert record.cost.seconds_per_volume is not None


def test_a_task_reads_what_it_named(done):
    """A side or a need that it did not name is refused."""

    def peeks(context):
        return context.record(made={"test": len(context.cohort("test"))})

    def reaches(context):
        return context.record(made={"place": str(context.place("judge"))})

    for run, told in ((peeks, "reads the test side"), (reaches, "reads a judge; expected needs that name")):
        with pytest.raises(SpecError, match=told):
            done(run.__name__, run, {}, ("train",))


def test_training_subjects_are_mixed_and_one_alone_is_left_out(tmp_path):
    """Hosts and donors are subjects of the draw, whom the lineage names; a single one has no donor for a box."""
    fold, subjects = toy_fold(tmp_path), SPLIT.train.subject_ids[:2]
    key = {"source": "boxes", "mixing": MIXINGS.parse("cutmix"), "count": 2, "seed": 1, "subjects": subjects}
    task = task_of(fold, "cases", mix.make_mixed, key, ("train",), arm="boxes")
    record, place = perform(task, {}, NotingProgress()), tmp_path / "fold-0" / "cases"
    made = read_cohort(place / synthesize.MADE)

    assert (record.details["made"], len(made)) == (4, 4)
    assert all(set(ref.lineage.subjects) == set(subjects) for ref in made)
    assert mix.mixed_intact(place)
    alone = task_of(
        toy_fold(tmp_path / "alone"), "cases", mix.make_mixed, {**key, "subjects": subjects[:1]}, ("train",)
    )
    assert "needs a donor" in perform(alone, {}, NotingProgress()).left_out


def test_fresh_cases_of_a_study_come_from_the_subjects_of_the_draw(done, generator):
    """Mixed or synthesized; nobody else stands behind them, and the seed of the training decides them."""
    subjects = SPLIT.train.subject_ids[:2]
    fold, train_side = toy_fold(done.root), SPLIT.train
    task = task_of(fold, "segmenter", arm.fit_arm, {}, ("train", "validation"), ("generator",))
    context = Context(task, done.root, {"fold-0/generator": generator}, NotingProgress())
    spec = SimpleNamespace(fresh_workers=0, accelerator=fold.study.spec.accelerator)
    context = replace(context, task=replace(task, fold=replace(fold, study=replace(fold.study, spec=spec))))
    drawn = {"reuse": 3.0, "from": {"subjects": subjects}}

    mixed = fresh.fresh_cases(context, {**drawn, "mixing": MIXINGS.parse("cutmix")}, train_side, 1)
    made = fresh.fresh_cases(context, {**drawn, "recipe": RECIPE}, train_side, 1)
    assert set(mixed.make(5).lineage.subjects) == set(mixed.lineage.subjects) == set(subjects)
    assert set(made.make(5).lineage.subjects) <= set(made.lineage.subjects)
    assert (mixed.reuse, made.workers) == (3.0, 0)
    other = fresh.fresh_cases(context, {**drawn, "recipe": RECIPE}, train_side, 2)
    flair = [cases.make(0).images[Modality.FLAIR].voxels for cases in (made, other, made)]
    assert (flair[0] == flair[2]).all()
    assert (flair[0] != flair[1]).any()
    assert fresh.fresh_cases(context, None, train_side, 1) is None


def test_label_maps_of_the_engine_are_stored_and_made_while_training(tmp_path, done, generator):
    """From subjects of the draw alone; a fresh map has the number that it was asked for, and never the stored seed."""
    maps = LabelMapSpec.model_validate({"hosts": {"count": 2}, "lesions": {"growths": 1, "grown_share": 0}})
    subjects = SPLIT.train.subject_ids[:2]
    key = {"source": "drawn", "maps": maps, "count": 1, "seed": 1, "subjects": subjects}
    fold = toy_fold(tmp_path)
    task = task_of(fold, "cases", drawn.make_drawn, key, ("train",), ("generator",), "drawn")
    context = Context(task, tmp_path, {"fold-0/generator": generator}, NotingProgress())
    context = replace(context, task=replace(task, fold=replace(fold, study=replace(fold.study, root=done.root))))
    record = drawn.make_drawn(context, **key)
    made = read_cohort(tmp_path / synthesize.MADE)
    spec = SimpleNamespace(fresh_workers=0, accelerator=fold.study.spec.accelerator)
    study = replace(fold.study, root=done.root, spec=spec)
    training = replace(context, task=replace(task, fold=replace(fold, study=study)))
    cases = fresh.fresh_cases(training, {"reuse": 2.0, "maps": maps, "from": {"subjects": subjects}}, SPLIT.train, 1)
    first = cases.make(1)

    assert record.details["made"] == len(made) == 2
    assert all(set(ref.lineage.subjects) <= {*SPLIT.train.subject_ids} for ref in made)
    assert set(first.lineage.subjects) <= set(cases.lineage.subjects)
    assert first.case_id == "drawn-000001"
    assert (first.images[Modality.FLAIR].voxels == cases.make(1).images[Modality.FLAIR].voxels).all()


def test_equal_weights_with_other_subjects_behind_them_are_not_the_same():
    """Cases made by one of both models must not stand for the other's."""
    from glioforge.core import Lineage
    from glioforge.studies.steps.train import made_of

    plain = Lineage.phantom("a", 1)
    chosen = plain.through("validation cases", Lineage.phantom("b", 1))
    assert made_of("w", chosen)["weights"] == made_of("w", plain)["weights"]
    assert made_of("w", chosen)["behind"] != made_of("w", plain)["behind"]
