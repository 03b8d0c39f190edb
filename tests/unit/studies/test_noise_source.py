"""Slices from noise as a source of a classification study: samplers, answers, lineage, and what is refused."""

from dataclasses import replace

import pytest

from glioforge.core.errors import CohortError, SpecError
from glioforge.core.protocols import Silent
from glioforge.sampling.method import SAMPLERS
from glioforge.studies.fold import cohort_in
from glioforge.studies.perform import perform
from glioforge.studies.question import parse_study, planned
from glioforge.studies.steps.noise import samplers_of
from toy_arms import study as augmentation
from toy_study import HOW, SPLIT, toy_fold

STEPS = {"steps": 1, "validate_every": 1, "checkpoint_every": 1}
DCGAN = {
    "kind": "dcgan",
    "plane": "axial",
    "size": 32,
    "width": 2,
    "latent": 4,
    "batch_size": 2,
    "between": [0, 1],
    "budget": STEPS,
}
NOISE = {"kind": "noise", "sampler": DCGAN, "per_answer": 2}


def study(source=None, **more):
    """Settings of a study of slices from noise."""
    values = {
        "kind": "classification",
        "name": "noise",
        "title": "Noise",
        "classifier": {"widths": [4, 8], "batch_size": 4},
        "sources": {"noise": source or NOISE},
        "arms": [
            {"name": "real", "title": "Real"},
            {"name": "more", "title": "More", "source": "noise", "synthetic_share": 0.5},
        ],
        "budgets": {"small": {"classifier": STEPS, "seeds": 1, "generator_seeds": 2}},
        "accelerator": HOW.model_dump(mode="json"),
        **more,
    }
    return parse_study(values, "noise")


def tasks_of(spec, tmp_path):
    """A fold's tasks."""
    fold = toy_fold(tmp_path)
    return list(planned(spec, [replace(fold, study=replace(fold.study, spec=spec))]))


def test_slices_of_both_answers_are_made_by_samplers_of_the_training_subjects(tmp_path):
    """One sampler for each answer, crossed with generator seeds; nobody else stands behind a slice."""
    tasks = [task for task in tasks_of(study(), tmp_path) if not task.evaluates and task.generator_seed == 0]
    names = [task.name for task in tasks if task.arm == "noise"]
    records = {}
    for task in tasks:
        records[task.name] = perform(task, {name: records[name] for name in task.needs}, Silent())
    made = cohort_in(tmp_path / "fold-0" / "cases" / "noise" / "made")

    assert names == [f"fold-0/{name}" for name in ("sampler/noise-present", "sampler/noise-absent")] + [
        "fold-0/cases/noise",
        "fold-0/synthetic/noise",
    ]
    assert [ref.facts["asked_tumour"] for ref in made] == ["present", "present", "absent", "absent"]
    assert {ref.load().geometry.shape for ref in made} == {(16, 14, 1)}
    assert all(ref.labels is None for ref in made)
    assert all(set(ref.lineage.subjects) == set(SPLIT.train.subject_ids) for ref in made)
    assert records["fold-0/classifiers/more/seed-0"].training.steps == 1
    assert not set(records["fold-0/classifiers/more/seed-0"].lineage.subjects) & set(SPLIT.test.subject_ids)


def test_a_sampler_is_asked_or_trained_for_each_answer():
    """By conditions where it has them; of grades, one is trained on the slices with tumour of each."""
    plain = SAMPLERS.parse(DCGAN)
    asked = SAMPLERS.parse({**DCGAN, "conditions": ["tumour", "size"]})

    assert {answer: one.tumour for answer, one in samplers_of(plain, "tumour").items()} == {
        "present": "with",
        "absent": "without",
    }
    assert samplers_of(asked, "tumour") == {"": asked}
    assert [one.tumour for one in samplers_of(plain, "grade").values()] == ["with", "with"]
    assert list(samplers_of(asked, "grade")) == ["HGG", "LGG"]


def test_grades_that_no_training_subject_has_are_refused(tmp_path):
    """The toy heads have none."""
    tasks = {task.name: task for task in tasks_of(study(target="grade"), tmp_path)}
    with pytest.raises(CohortError, match="grades for training: HGG: 0 subjects, LGG: 0 subjects"):
        perform(tasks["fold-0/sampler/noise-hgg"], {}, Silent())


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        ({**DCGAN, "plane": "sagittal"}, "set `plane: axial`"),
        ({**DCGAN, "pooled": True}, "and not `pooled`"),
        ({"kind": "label_vae"}, "sampler 'label_vae': classifiers see axial slices"),
        ({**DCGAN, "tumour": "with"}, "slices of both answers are made"),
        ({**DCGAN, "conditions": ["side"]}, "have `tumour` among the conditions"),
        ({**DCGAN, "select": True}, "may not choose the sampler too"),
    ],
)
def test_samplers_that_give_no_slices_of_both_answers_are_refused(sampler, message):
    """With what to change."""
    with pytest.raises(SpecError, match=message):
        study({**NOISE, "sampler": sampler})


def test_a_segmenter_cannot_learn_from_slices_without_label_maps():
    """An augmentation study says which kind of study takes them."""
    with pytest.raises(SpecError, match=r"sources \['noise'\]: slices from noise have no label maps"):
        augmentation(sources={"noise": NOISE})
