"""Promises of `studies.sources`: a synthesizer also learns from a second cohort, of which nobody may be held out."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from glioforge.core import CohortError, LeakageError, Modality
from glioforge.core.cohort import Cohort
from glioforge.core.protocols import Silent
from glioforge.data.preparation.pipeline import PrepareSpec
from glioforge.data.store import write_case
from glioforge.io.cohort_file import write_cohort
from glioforge.studies.fold import cohort_in
from glioforge.studies.perform import perform
from glioforge.studies.plan.draw import EVERYONE
from glioforge.studies.plan.source import Made, source_tasks
from glioforge.studies.question import load_study
from glioforge.studies.sources import JoinedFolder, SynthesizerSource
from glioforge.studies.steps.folder import content_of
from glioforge.studies.steps.join import KIND, take_joined
from glioforge.studies.steps.train import MODEL, fit_synthesizer
from glioforge.studies.task import Task
from glioforge.synthesis.base import SYNTHESIZERS
from glioforge.training.model_folder import read_card
from toy_cohort import toy_case
from toy_study import SPLIT, toy_fold

PREPARE = PrepareSpec(tissue=None)


def of_t1(case):
    """The case with T1 alone."""
    return replace(case, images={Modality.T1: case.images[Modality.T1]})


@pytest.fixture
def join(tmp_path):
    """Prepares cases as the second cohort of a toy fold of its own; returns the fold and the record."""

    def run(*cases, **how):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        path = root / "scans"
        refs = tuple(write_case(path / "cases", case) for case in cases)
        write_cohort(Cohort("scans", refs, SPLIT.train.scheme), path)
        fold = toy_fold(root / "study")
        cohort = JoinedFolder(path=path, **how)
        key = {"cohort": cohort, "content": content_of(path), "prepare_as": PREPARE}
        return fold, perform(Task(f"fold-0/{KIND}", KIND, fold, take_joined, key, arm="net"), {}, Silent())

    return run


def trained(fold, **needed):
    """A synthesizer of the fold, and the folder of its model."""
    key = {"synthesizer": SYNTHESIZERS.parse({"kind": "painted", "gaps": True}), "seed": 1}
    name = "fold-0/generator-joined" if needed else "fold-0/generator"
    needs = tuple(record.task for record in needed.values())
    task = Task(name, "generator", fold, fit_synthesizer, key, needs=needs)
    return perform(task, {record.task: record for record in needed.values()}, Silent()), fold.study.root / name / MODEL


def test_a_synthesizer_also_learns_from_the_second_cohort(join):
    """Whose subjects are behind it from then on; without, it has other weights."""
    fold, joined = join(of_t1(toy_case(31)), of_t1(toy_case(32)))
    assert joined.details == {"cases": 2, "from": "scans", "contrasts": [Modality.T1.title]}

    alone, _ = trained(fold)
    both, model = trained(fold, joined=joined)

    assert both.made != alone.made
    assert set(both.lineage.subjects) >= {"s31", "s32", *SPLIT.train.subject_ids}
    assert not {"s31", "s32"} & set(alone.lineage.subjects)
    card = read_card(model, SYNTHESIZERS)
    assert card.training["train"][0]["cases"] == len(SPLIT.train) + 2
    assert card.modalities == SPLIT.train.modalities


def test_contrasts_can_be_left_out(join):
    """On the grid of the study's cases; the label maps come along."""
    fold, joined = join(toy_case(31), modalities=(Modality.FLAIR,))
    (ref,) = cohort_in(fold.study.root / joined.task / KIND)
    case = ref.load()

    assert list(case.images) == [Modality.FLAIR]
    assert case.geometry.shape == SPLIT.train.cases[0].load().geometry.shape
    with pytest.raises(CohortError, match=r"contrasts \['t2'\] of a second cohort"):
        join(toy_case(33), modalities=(Modality.T2,))


def test_brains_without_a_label_map_are_healthy_only_where_it_is_said(join):
    """Their map has no lesion."""
    scan = replace(of_t1(toy_case(34)), labels=None)
    with pytest.raises(CohortError, match="cases without a label map: s34-1"):
        join(scan)
    fold, joined = join(scan, healthy=True)
    (ref,) = cohort_in(fold.study.root / joined.task / KIND)
    assert not ref.load().require_labels().lesion.any()


@pytest.mark.parametrize("side", ["validation", "test"])
def test_nobody_of_it_may_be_held_out(join, side):
    """Under any name that the lineage of a case keeps."""
    case = getattr(SPLIT, side).cases[0].load()
    with pytest.raises(LeakageError, match=case.subject_id):
        join(replace(case, case_id="another", subject_id="another"))


def test_a_synthesizer_that_needs_every_contrast_is_refused():
    """It would drop the contrasts that the second cohort lacks."""
    values = {"kind": "synthesizer", "also_train_on": {"kind": "phantom", "cases": 2, "seed": 9}}
    with pytest.raises(ValidationError, match="set `gaps: true` of the synthesizer"):
        SynthesizerSource.model_validate({**values, "synthesizer": {"kind": "painted"}})
    source = SynthesizerSource.model_validate({**values, "synthesizer": {"kind": "painted", "gaps": True}})
    assert source.also_train_on.phantom.healthy


def test_the_study_after_shin_trains_one_generator_in_two_stages(tmp_path):
    """On phantoms; the training waits for the healthy ones, of which T1 alone is used."""
    spec = load_study("shin2018", ["budget=smoke"], phantoms=True)
    assert spec.arms[-1].source == "pix2pix-healthy"

    tasks = {task.kind: task for task in source_tasks(spec, toy_fold(tmp_path), Made("pix2pix-healthy", EVERYONE))}

    assert tasks["generator"].needs == (tasks[KIND].name,)
    assert tasks[KIND].key["cohort"].modalities == (Modality.T1,)
    assert tasks[KIND].key["prepare_as"] == spec.prepare
    without = {task.kind for task in source_tasks(spec, toy_fold(tmp_path), Made("pix2pix", EVERYONE))}
    assert KIND not in without
