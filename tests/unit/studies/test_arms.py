"""Promises of `studies.arms`, `studies.sources` and `studies.plan`: arms as values, subsets nested, each task once."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from glioforge.core.errors import CohortError, LeakageError, SpecError
from glioforge.studies.arms_report import control_pairs, is_control
from glioforge.studies.plan.draw import EVERYONE, draw_of
from glioforge.studies.question import planned
from glioforge.studies.sources import SubjectsSpec, SynthesizerSource
from glioforge.studies.spec import AugmentationSpec
from toy_arms import MORE, REAL, study
from toy_study import SPLIT, toy_fold


def tasks_of(spec, tmp_path):
    """Tasks of one fold by their names."""
    fold = toy_fold(tmp_path)
    return {task.name: task for task in planned(spec, [replace(fold, study=replace(fold.study, spec=spec))])}


def test_a_curve_trains_every_arm_at_every_number_of_subjects():
    """With names and titles that tell them apart, and the baseline of each number as its reference."""
    spec = study(curve={"subjects": [1, 2], "draws": 3})
    assert [arm.name for arm in spec.every_arm] == ["real-n1", "more-n1", "real-n2", "more-n2"]
    assert spec.every_arm[3].title == "More, 2 training subjects"
    assert [arm.reference for arm in spec.every_arm] == ["real-n1", "real-n1", "real-n2", "real-n2"]
    assert {arm.draws for arm in spec.every_arm} == {3}


def test_several_segmenters_are_trained_by_every_arm_that_names_none():
    """Each compared with the baseline of its own segmenter."""
    only = {**MORE, "name": "only", "segmenter": "b"}
    spec = study((REAL, MORE, only), segmenter=None, segmenters={"a": {"kind": "unet"}, "b": {"kind": "unet"}})
    assert [arm.name for arm in spec.every_arm] == ["real-a", "more-a", "real-b", "more-b", "only-b"]
    assert [arm.reference for arm in spec.every_arm] == ["real-a"] * 2 + ["real-b"] * 3


def test_some_arms_are_trained_again_with_a_segmenter_of_their_own():
    """Against real cases by that segmenter; the others, and what a study is known by, stay as they were."""
    other = {"name": "real-b", "title": "Real, b", "segmenter": "b"}, {**MORE, "name": "more-b", "segmenter": "b"}
    segmenters = {"b": {"kind": "unet", "widths": [4, 8]}}
    spec, before = study((REAL, MORE, *other), segmenters=segmenters), study((REAL, MORE))

    assert [(arm.name, arm.reference, arm.baseline) for arm in spec.every_arm] == [
        ("real", "real", "real"),
        ("more", "real", "real"),
        ("real-b", "real-b", "real-b"),
        ("more-b", "real-b", "real-b"),
    ]
    assert spec.every_arm[3].segmenter.widths == (4, 8)
    assert spec.identity() == before.identity()
    for arms in ((REAL, other[1]), (REAL, *other, {**other[1], "name": "across", "reference": "real"})):
        with pytest.raises(SpecError, match="no arm to be compared with that has their segmenter"):
            study(arms, segmenters=segmenters)


def test_draws_are_nested_and_differ(tmp_path):
    """Two subjects of a draw are among the three of the same draw; other draws are others; all is nobody left out."""
    fold = toy_fold(tmp_path)
    draws = [{n: set(draw_of(fold, SubjectsSpec(subjects=n), d).subjects) for n in (1, 2, 3)} for d in range(8)]

    assert all(draw[1] < draw[2] < draw[3] for draw in draws)
    assert len({frozenset(draw[2]) for draw in draws}) > 1
    assert draw_of(fold, SubjectsSpec(share=1.0), 3) is EVERYONE
    with pytest.raises(CohortError, match="at least 9, as an arm, a source or the curve asks for"):
        draw_of(fold, SubjectsSpec(subjects=9), 0)


def test_draws_generators_and_seeds_are_crossed(tmp_path):
    """Two draws, two generators of each, two segmenters of each; the baseline has no generator."""
    spec = study(curve={"subjects": [2], "draws": 2}, budget={"generator_seeds": 2})
    tasks = tasks_of(spec, tmp_path)

    def design(kind, arm):
        mine = [task for task in tasks.values() if (task.kind, task.arm) == (kind, arm)]
        return sorted((task.draw, task.generator_seed, task.seed) for task in mine)

    crossed = [(draw, generator, seed) for draw in (0, 1) for generator in (0, 1) for seed in (0, 1)]
    assert design("scores", "more-n2") == design("segmenter", "more-n2") == crossed
    assert design("scores", "real-n2") == [(draw, 0, seed) for draw in (0, 1) for seed in (0, 1)]
    assert design("generator", "generator") == [(draw, generator, 0) for draw in (0, 1) for generator in (0, 1)]
    seeds = [task.key["seed"] for task in tasks.values() if task.kind == "generator"]
    assert len(set(seeds)) == 4
    generator = tasks["fold-0/trained-on-n2-draw-1/generator-seed-1"]
    trained = tasks["fold-0/segmenters/more-n2/draw-1-generator-1-seed-0"]
    assert generator.key["subjects"] == trained.key["subjects"]
    assert len(trained.key["subjects"]) == 2


def test_a_generator_may_learn_from_other_subjects_than_the_arms(tmp_path):
    """One seeded draw for all arms and draws; its cases come from the label maps of these subjects."""
    source = {"kind": "synthesizer", "synthesizer": {"kind": "painted"}, "train_on": {"share": 0.7}}
    arms = (REAL, {**MORE, "source": "apart"})
    tasks = tasks_of(study(arms, sources={"apart": source}, curve={"subjects": [1], "draws": 2}), tmp_path)
    made = [task for task in tasks.values() if (task.kind, task.arm) == ("cases", "apart")]

    assert [task.name for task in made] == ["fold-0/made-by-70pct-draw-0/cases/apart"]
    assert len(made[0].key["subjects"]) == round(0.7 * len(SPLIT.train.subject_ids))
    assert made[0].key["subjects"] == tasks["fold-0/made-by-70pct-draw-0/models/apart"].key["subjects"]


def test_every_arm_has_as_many_tuning_trials(tmp_path):
    """However many draws it has; seeds need the trials of their arm, and know what each of them changed."""
    changes = [{"optimizer.learning_rate": 0.01}, {"optimizer.learning_rate": 0.001}]
    tasks = tasks_of(study(tuning=changes), tmp_path)
    trials = [task for task in tasks.values() if task.kind == "trial"]

    assert [task.arm for task in trials] == ["real", "real", "more", "more"]
    assert [task.key["segmenter"].optimizer.learning_rate for task in trials] == [0.01, 0.001] * 2
    assert {"fold-0/tuning/more/trial-0", "fold-0/tuning/more/trial-1"} < set(
        tasks["fold-0/segmenters/more/seed-1"].needs
    )
    assert list(tasks["fold-0/segmenters/more/seed-1"].key["tuning"]) == changes
    crossed = tasks_of(study(tuning=changes, curve={"subjects": [2], "draws": 2}), tmp_path / "crossed")
    assert sum(task.kind == "trial" for task in crossed.values()) == 4
    assert "fold-0/tuning/more-n2/trial-1" in crossed["fold-0/segmenters/more-n2/draw-1-seed-0"].needs


def test_one_subject_has_a_fixed_number_of_steps(tmp_path):
    """No trial run can find its plateau; more subjects have one for each number of them."""
    budget = {"segmenter": {"steps": 900, "gain": 0.005}, "one_subject_steps": 300}
    tasks = tasks_of(study(curve={"subjects": [1, 2]}, budget=budget), tmp_path)

    assert [task.name for task in tasks.values() if task.kind == "pilot"] == ["fold-0/pilots/real-n2"]
    assert {tasks[f"fold-0/segmenters/{arm}-n1/seed-0"].key["budget"].steps for arm in ("real", "more")} == {300}
    assert tasks["fold-0/segmenters/real-n1/seed-0"].key["budget"].gain is None
    assert "fold-0/pilots/real-n2" in tasks["fold-0/segmenters/more-n2/seed-1"].needs


def test_declared_subjects_who_are_held_out_are_refused_before_anything_runs(tmp_path):
    """By the plan; an undeclared source has a search that its screening and its arms wait for."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "a.txt").write_text("a")
    held_out = SPLIT.test.subject_ids[0]
    arms = (REAL, {**MORE, "source": "other"})

    def source(**more):
        return {"other": {"kind": "folder", "path": str(tmp_path / "made"), **more}}

    with pytest.raises(LeakageError, match=f"source 'other' was made from subjects \\['{held_out}'\\], who are held"):
        tasks_of(study(arms, sources=source(subjects=[held_out])), tmp_path)
    declared = tasks_of(study(arms, sources=source(subjects=[])), tmp_path)
    tasks = tasks_of(study(arms, sources=source()), tmp_path)
    assert "fold-0/search/other" not in declared
    assert tasks["fold-0/synthetic/other"].needs == ("fold-0/cases/other", "fold-0/search/other")
    assert tasks["fold-0/search/other"].guards
    assert not tasks["fold-0/search/other"].evaluates


def test_exposure_and_schedules_are_part_of_an_arms_key(tmp_path):
    """Classical augmentation too; an arm of the usual kind has none of them."""
    arms = (
        REAL,
        {**MORE, "name": "tuned", "synthetic_share": 1, "schedule": {"real_steps": 0.25, "real_share": 0.1}},
        {"name": "plain", "title": "Plain", "augment": False},
    )
    tasks = tasks_of(study(arms, budget={"match": "exposure"}), tmp_path)
    assert tasks["fold-0/segmenters/tuned/seed-0"].key["schedule"].real_share == 0.1
    assert tasks["fold-0/segmenters/tuned/seed-0"].key["exposure"]
    assert tasks["fold-0/segmenters/plain/seed-0"].key["segmenter"].augment is None
    assert "schedule" not in tasks["fold-0/segmenters/real/seed-0"].key


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": [REAL, {**MORE, "source": "nobody"}]}, "names source 'nobody', which is not among"),
        ({"arms": [REAL, {**MORE, "reference": "nobody"}]}, "names reference 'nobody', which is not among"),
        ({"arms": [MORE]}, "the first arm is the baseline"),
        ({"arms": [REAL, REAL]}, "are not named uniquely"),
        ({"arms": [REAL, {**REAL, "name": "b", "amount": {"cases": 2}}]}, "an amount needs a source"),
        ({"arms": [REAL, {**REAL, "name": "b", "schedule": {"real_steps": 0.5}}]}, "without synthetic cases"),
        ({"arms": [REAL, {**MORE, "schedule": {"real_share": 0.5}}]}, "is fine-tuned on some of its real subjects"),
        ({"arms": [{**REAL, "draws": 2}]}, "draws 2 of all real subjects are the same"),
        ({"arms": [{**REAL, "real": {"subjects": 1, "share": 0.5}}]}, "give one of them"),
        ({"arms": [REAL, {**MORE, "amount": {}}]}, "cases None and multiple None: give one of them"),
        ({"segmenter": None}, "give segmenter, or segmenters by their names"),
        ({"segmenters": {"a": {"kind": "unet"}}}, r"segmenters \['a'\] that no arm names"),
        ({"sources": {"control": {"kind": "copies"}}}, "these names belong to synthesizer and control"),
        ({"curve": {}}, "give one of them"),
        ({"tuning": [{"optimizer.rate": 1}]}, "optimizer.rate: unknown key"),
        ({"budget": {"match": "epochs"}}, "match epochs: give segmenter.epochs"),
    ],
)
def test_arms_that_cannot_be_are_refused(changes, message):
    """With the key."""
    with pytest.raises(SpecError, match=message):
        study(**{"arms": [REAL, MORE], **changes})


def test_a_study_of_a_folder_needs_no_synthesizer():
    """And one that names none has no standard arms."""
    more = {"synthesizer": None, "control": None}
    spec = study((REAL, {**MORE, "source": "copies"}), sources={"copies": {"kind": "copies"}}, **more)
    assert isinstance(spec, AugmentationSpec)
    with pytest.raises(SpecError, match="names source 'generator', which is not among"):
        study(arms=[REAL, MORE], **more)


def test_controls_are_arms_in_the_mode_of_the_arm_under_test(tmp_path):
    """Mixings and synthesizers by their names, sources with settings of their own; each has cases and is no test."""
    paste = {"kind": "mixing", "mixing": {"kind": "tumour_paste", "blend": "poisson"}, "per_case": 2}
    more = {**MORE, "synthetic_share": 0.3, "schedule": {"real_steps": 0.2}}
    spec = study((REAL, more), sources={"poisson": paste}, controls=["cutmix", "poisson", "painted"])
    tasks = tasks_of(spec, tmp_path)

    assert [arm.name for arm in spec.every_arm] == [
        "real",
        "more",
        "real+cutmix",
        "real+poisson",
        "real+painted",
    ]
    assert {(arm.spec.synthetic_share, arm.spec.schedule.real_steps) for arm in spec.every_arm[1:]} == {(0.3, 0.2)}
    assert [arm.name for arm in spec.every_arm if is_control(spec, arm)] == [arm.name for arm in spec.every_arm[2:]]
    assert tasks["fold-0/cases/poisson"].key["mixing"].blend == "poisson"
    assert (tasks["fold-0/cases/poisson"].key["count"], tasks["fold-0/cases/cutmix"].key["count"]) == (2, 3)
    assert "fold-0/cases/cutmix" in tasks["fold-0/segmenters/real+cutmix/seed-0"].needs
    named = {arm.name: arm.title for arm in spec.every_arm}
    assert ("real+cutmix", "more") in control_pairs(spec, named)


@pytest.mark.parametrize(
    ("arms", "controls", "message"),
    [((REAL, MORE), ["cutnix"], "control 'cutnix' is not among"), ((REAL,), ["cutmix"], "without an arm under test")],
)
def test_a_control_that_cannot_be_is_refused(arms, controls, message):
    """An unknown name, and a study that tests nothing."""
    with pytest.raises(SpecError, match=message):
        study(arms, controls=controls, synthesizer=None, control=None) if len(arms) == 1 else study(
            arms, controls=controls
        )


def test_an_arm_with_a_reuse_makes_cases_while_it_trains(tmp_path):
    """Its trainings need the generator, know the recipe and the subjects, and other arms keep their addresses."""
    fresh = {**MORE, "name": "fresh", "reuse": 4}
    spec = study((REAL, MORE, fresh), controls=["cutmix"], curve={"subjects": [2]})
    tasks = tasks_of(spec, tmp_path)
    trained = tasks["fold-0/segmenters/fresh-n2/seed-0"]

    assert trained.key["fresh"]["reuse"] == 4
    assert trained.key["fresh"]["from"]["subjects"] == trained.key["subjects"]
    assert "fold-0/trained-on-n2-draw-0/generator" in trained.needs
    assert "fresh" not in tasks["fold-0/segmenters/more-n2/seed-0"].key
    assert spec.all_arms[-1].reuse is None


@pytest.mark.parametrize(
    ("arm", "more", "message"),
    [
        ({"name": "a", "title": "A", "reuse": 2}, {}, "draws fresh cases"),
        ({**MORE, "source": "again", "reuse": 2}, {"sources": {"again": {"kind": "copies"}}}, "makes no cases"),
        ({**MORE, "reuse": 2}, {"filters": [{"kind": "plausible_labels"}]}, "which see stored cases alone"),
    ],
)
def test_fresh_cases_that_cannot_be_are_refused(arm, more, message):
    """Without a source, of one that repeats, and past filters."""
    with pytest.raises(SpecError, match=message):
        study((REAL, arm), **more)


def test_images_can_be_made_of_maps_from_noise(tmp_path):
    """A sampler is trained on the subjects of the arm; such arms have no twin on shuffled slices."""
    sampler = {"kind": "label_pgan", "dims": 3, "budget": {"steps": 7, "validate_every": 7}}
    source = {"kind": "synthesizer", "synthesizer": {"kind": "painted"}, "sampler": sampler}
    values = {
        "name": "a",
        "title": "A",
        "split": {"kind": "slices"},
        "sources": {"masks": source, "own": {**source, "sampler": None}},
        "segmenter": {"kind": "unet"},
        "arms": [
            {"name": "real", "title": "Real"},
            {"name": "masks", "title": "M", "source": "masks", "synthetic_share": 1},
            {"name": "own", "title": "O", "source": "own", "synthetic_share": 1},
        ],
        "budgets": {"small": {"segmenter": {"steps": 2}, "seeds": 1, "synthetic_per_case": 2}},
    }
    spec = AugmentationSpec.model_validate(values)
    tasks = tasks_of(spec, tmp_path)

    assert [arm.name for arm in spec.every_arm if arm.split == "leaky"] == ["real-leaky", "own-leaky"]
    assert tasks["fold-0/cases/masks"].needs == ("fold-0/models/masks", "fold-0/sampler/masks")
    assert tasks["fold-0/cases/masks"].key["count"] == 2 * len(SPLIT.train.subject_ids)
    assert tasks["fold-0/sampler/masks"].amount == 7
    with pytest.raises(ValidationError, match="label maps are edited, drawn or made from noise"):
        SynthesizerSource.model_validate({**source, "recipe": {"name": "r", "steps": []}})
