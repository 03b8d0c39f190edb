"""Promises of `studies.shown`: one unseen brain with edited lesions, and lesions in a healthy brain, are painted."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from glioforge.core import CohortError, LeakageError
from glioforge.core.cohort import Cohort
from glioforge.core.protocols import Silent
from glioforge.data import PrepareSpec, write_case
from glioforge.io import write_cohort
from glioforge.studies import gallery
from glioforge.studies.fold import Study, cohort_in
from glioforge.studies.perform import perform
from glioforge.studies.plan.draw import EVERYONE
from glioforge.studies.plan.shown import shown_tasks
from glioforge.studies.plan.source import Made
from glioforge.studies.question import QUESTIONS, load_demo, load_study
from glioforge.studies.results import Results
from glioforge.studies.shown import ShownSpec
from glioforge.studies.shown_report import shown_section
from glioforge.studies.sources import AnySource, JoinedFolder
from glioforge.studies.steps import hosts
from glioforge.studies.steps.train import fit_synthesizer
from glioforge.studies.task import Task
from glioforge.synthesis.base import SYNTHESIZERS
from toy_cohort import toy_case
from toy_study import SPLIT, toy_fold

INSERT = {"edit": {"kind": "insert", "mass_effect": None}}
LARGER = {"edit": {"kind": "scale", "volume_factor": [1.3, 1.6]}}
VALUES = {
    "sources": ["net"],
    "edits": [{"name": "larger", "attempts": 20, "steps": [LARGER]}],
    "inserts": [
        {"name": "inserted", "attempts": 20, "steps": [INSERT]},
        {"name": "inserted, away", "steps": [INSERT, {"edit": {"kind": "translate", "distance_mm": [900, 999]}}]},
    ],
}
LABELS = toy_case(41).require_labels()
HEALTHY = replace(toy_case(41), labels=LABELS.with_voxels(np.where(LABELS.lesion, 4, LABELS.voxels).astype(np.uint8)))
PREPARE = PrepareSpec()


def study_of(root, *cases, **how):
    """A study of toy heads that shows these cases as hosts: its fold, spec and tasks by name."""
    path = root / "scans"
    refs = tuple(write_case(path / "cases", case) for case in cases)
    write_cohort(Cohort("healthy scans", refs, SPLIT.train.scheme), path)
    shown = ShownSpec.model_validate({**VALUES, "hosts": JoinedFolder(path=path, **how)})
    source = {"kind": "synthesizer", "title": "Painter", "synthesizer": {"kind": "painted"}}
    sources = {"net": TypeAdapter(AnySource).validate_python(source)}
    spec = load_demo().model_copy(update={"shown": shown, "sources": sources, "prepare": PREPARE})
    fold = toy_fold(root / "study")
    made = {"net": Made("net", EVERYONE)}
    tasks = {task.name: task for task in shown_tasks(spec, shown, fold, made, "fold-0/segmenter")}
    return fold, spec, tasks


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """Everything done once, with a segmenter that finds all: fold, spec and records by name."""
    fold, spec, tasks = study_of(tmp_path_factory.mktemp("shown"), HEALTHY)
    records = {}
    key = {"synthesizer": SYNTHESIZERS.parse("painted"), "seed": 1}
    model = Task("fold-0/models/net", "generator", fold, fit_synthesizer, key)
    judge = Task("fold-0/segmenter", "segmenter", fold, leave_nothing, {})
    perfect = SimpleNamespace(segment_many=lambda cases: (case.require_labels() for case in cases))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hosts, "open_segmenter", lambda *_: perfect)
        for task in (model, judge, *tasks.values()):
            records[task.name] = perform(task, {name: records[name] for name in task.needs}, Silent())
    return fold, spec, records


def leave_nothing(context):
    """Stand for a training of a segmenter."""
    return context.record()


def test_the_healthy_brain_gets_a_training_subject_s_lesion(painted):
    """Both are behind the images, whose lesion the segmenter finds; an edit that suits no place is noted."""
    fold, _, records = painted
    made = {ref.case_id: ref for ref in cohort_in(fold.study.root / "fold-0/shown/net/shown")}

    assert list(made) == ["original", "larger", "host", "host-inserted"]
    assert not made["host"].load().require_labels().lesion.any()
    case = made["host-inserted"].load()
    assert case.require_labels().lesion.any()
    assert set(case.images) == set(HEALTHY.images)
    donors = {edit["donor"] for edit in case.lineage.edits}
    assert donors <= {ref.case_id for ref in SPLIT.train}
    assert HEALTHY.subject_id in case.lineage.subjects
    assert HEALTHY.subject_id in records["fold-0/inserted"].lineage.subjects
    assert records["fold-0/inserted"].notes[0].startswith("inserted, away: ")
    dice = records["fold-0/shown/net"].details["dice"]
    assert set(dice) == {*made, records["fold-0/series"].details["source"]}
    assert dice["host-inserted"]["WT"] == 1.0


def test_the_page_shows_the_rows_of_the_figure(painted, monkeypatch):
    """What was scanned, its map, the edits and a healthy brain; then the host beside what was made of it."""
    fold, spec, records = painted
    grids, drawn = [], gallery.picture_grid
    monkeypatch.setattr(
        gallery,
        "picture_grid",
        lambda rows, columns, **_: (grids.append((rows, columns)), drawn(rows[:1], columns, cell_inch=0.2))[1],
    )
    monkeypatch.setattr(Results, "split", lambda *_: SPLIT)
    monkeypatch.setattr(Study, "prepared", property(lambda self: SPLIT.test))
    results = Results(fold.study, (), list(records.values()))
    (section,) = shown_section(spec, results)
    rows, columns = grids[0]

    assert [name.split("\n")[0] for name, _ in rows] == ["phantom", "not edited", "larger", "healthy brain,"]
    assert rows[3][0].endswith("Dice 1.00")
    assert columns[0] == "labels"
    host_rows, host_columns = next(grid for grid in grids if grid[1][0] == "host")
    assert host_columns[1].endswith(", host")
    assert [name.split("\n")[1] for name, _ in host_rows[:2]] == ["no lesion", "inserted"]
    text = " ".join(block.text for block in section.blocks if hasattr(block, "text"))
    assert "An edit was left out: inserted, away" in text
    captions = " ".join(block.caption for block in section.blocks if hasattr(block, "caption"))
    assert "on which this synthesizer was not trained" in captions
    assert shown_section(spec.model_copy(update={"shown": None}), results) == ()


def test_a_brain_with_a_lesion_is_no_healthy_one(tmp_path):
    """And one that is held out is refused."""
    _, _, tasks = study_of(tmp_path / "lesion", toy_case(42))
    with pytest.raises(CohortError, match="a lesion in the label map of s42-1"):
        perform(tasks["fold-0/hosts"], {}, Silent())
    case = SPLIT.test.cases[0].load()
    _, _, tasks = study_of(tmp_path / "leak", replace(case, case_id="new", labels=None), healthy=True)
    with pytest.raises(LeakageError, match=case.subject_id):
        perform(tasks["fold-0/hosts"], {}, Silent())


def test_unknown_sources_and_equal_names_are_refused():
    """Sources need a synthesizer that an arm names."""
    with pytest.raises(ValidationError, match="give every recipe a name of its own"):
        ShownSpec.model_validate({**VALUES, "edits": VALUES["edits"] * 2})
    with pytest.raises(ValueError, match=r"shown.sources \['net'\], expected synthesizers that arms name"):
        ShownSpec.model_validate(VALUES).require_sources(("other",))


def test_the_study_after_shin_shows_its_figure(tmp_path):
    """On phantoms with a healthy one that nobody trained on; on scans without until a folder is named."""
    fold = toy_fold(tmp_path)
    spec = load_study("shin2018", ["budget=smoke"], phantoms=True)
    tasks = {task.name: task for task in QUESTIONS.part_for(spec)().plan(spec, [fold])}
    painting = tasks["fold-0/shown/pix2pix-healthy"]

    assert set(painting.needs) == {
        "fold-0/models/pix2pix-healthy",
        "fold-0/series",
        "fold-0/segmenters/real-gan/seed-0",
        "fold-0/inserted",
    }
    assert spec.shown.hosts.seed not in {spec.data.seed, spec.sources["pix2pix-healthy"].also_train_on.seed}
    scans = load_study("shin2018", ["budget=smoke"])
    assert scans.shown.hosts is None
    names = [task.name for task in QUESTIONS.part_for(scans)().plan(scans, [fold])]
    assert [name for name in names if "shown" in name or "hosts" in name] == ["fold-0/shown/pix2pix"]
    bare = load_study("shin2018", ["budget=smoke", "prepare.tissue=null"], phantoms=True)
    assert "fold-0/hosts" not in {task.name for task in QUESTIONS.part_for(bare)().plan(bare, [fold])}
