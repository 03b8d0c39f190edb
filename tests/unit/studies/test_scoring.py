"""Tests of `studies.scoring`: segmenters of any target are scored on the regions that they know."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.protocols import Silent
from glioforge.core.schemes import BRATS2023, BRATS2024, COMPLETE, COMPLETE_CAVITY, GUO2020, TUMOUR
from glioforge.data.preparation.pipeline import PrepareSpec, prepare_case
from glioforge.studies.base import StudySpec
from glioforge.studies.leaky import sides_of, write_slices
from glioforge.studies.likeness import judged_rows
from glioforge.studies.record import Record
from glioforge.studies.scoring import class_rows, labelled, overlap_rows
from glioforge.studies.steps import manipulate, segment
from glioforge.studies.task import Context, Task
from toy_cohort import cohort_of_cases, toy_case, toy_cohort
from toy_study import SPLIT, toy_fold


@dataclass(frozen=True)
class Knows:
    """A segmenter that says the truth in its own scheme."""

    scheme: LabelScheme

    def segment_many(self, cases):
        """Answer in order."""
        return map(self.segment, cases)

    def segment(self, case) -> LabelMap:
        """The case's own labels."""
        return case.require_labels().to(self.scheme)


@pytest.mark.parametrize("scheme", [COMPLETE_CAVITY, GUO2020, BRATS2024])
def test_a_resection_cavity_is_scored_as_a_region_of_its_own(scheme):
    """Of post-treatment truth, by segmenters that know it; one that paints none of it has Dice 0."""
    old = toy_case(1).require_labels()
    truth = LabelMap(np.array([0, 4, 2, 3, 0, 0, 0], dtype=np.uint8)[old.voxels], old.geometry, BRATS2024)
    scan = replace(toy_case(1), labels=truth)
    prepared = prepare_case(scan, PrepareSpec(), scan.modalities, (16, 16, 16))
    refs = [replace(cohort_of_cases([case]).cases[0], scheme=case.labels.scheme.name) for case in (prepared, scan)]
    test = Cohort("prepared", (replace(refs[0], facts=prepared.facts),), COMPLETE_CAVITY)
    study = StudySpec.model_construct(name="study", regions=("WT", "RC"))
    rows = overlap_rows(study, (0, "arm", 0), Knows(scheme), test, Cohort("scans", (refs[1],), BRATS2024))
    blind = overlap_rows(study, (0, "arm", 0), Blind(), test, Cohort("scans", (refs[1],), BRATS2024))

    assert dice_of(rows) == {"WT": 1.0, "RC": 1.0}
    assert dice_of(blind)["RC"] == 0.0


def dice_of(rows):
    """Dice of each region."""
    return {row["region"]: row["value"] for row in rows if row["metric"] == "dice"}


@dataclass(frozen=True)
class Blind:
    """A segmenter that finds no cavity."""

    def segment_many(self, cases):
        """Answer in order."""
        return map(self.segment, cases)

    def segment(self, case) -> LabelMap:
        """The case's own labels with fluid in place of the cavity."""
        labels = case.require_labels()
        return labels.with_voxels(np.where(labels.voxels == 7, np.uint8(6), labels.voxels))


@pytest.mark.parametrize(
    ("scheme", "regions"),
    [(BRATS2023, ("WT", "TC", "ET")), (COMPLETE, ("WT", "TC", "ET")), (GUO2020, ("WT", "TC")), (TUMOUR, ("WT",))],
)
def test_a_segmenter_that_knows_the_truth_is_perfect_in_every_scheme(scheme, regions):
    """Also where its labels have no counterpart among those of the truth."""
    scan = replace(toy_case(1), labels=toy_case(1).require_labels().to(BRATS2023))
    prepared = prepare_case(scan, PrepareSpec(tissue=None), scan.modalities, (16, 16, 16))
    prepared = replace(prepared, labels=prepared.require_labels().to(COMPLETE))
    ref = replace(cohort_of_cases([prepared]).cases[0], facts=prepared.facts)
    test = Cohort("prepared", (ref,), COMPLETE)
    rows = overlap_rows(
        StudySpec.model_construct(name="study", regions=regions),
        (0, "arm", 0),
        Knows(scheme),
        test,
        cohort_of_cases([scan]),
    )
    assert [row["region"] for row in rows if row["metric"] == "dice"] == list(regions)
    assert {row["value"] for row in rows if row["metric"] == "dice"} == {1.0}


def test_every_class_is_scored_with_tissue_and_over_all_of_them():
    """A class in neither map has no number; weights decide what an error costs."""
    labels = toy_case(1).require_labels().to(COMPLETE)
    wrong = labels.voxels.copy()
    wrong[wrong == COMPLETE.value("csf")] = COMPLETE.value("grey_matter")
    rows = class_rows({"arm": "real"}, replace(labels, voxels=wrong), labels, {"white_matter": 1.0, "csf": 9.0})
    values = {(row["region"], row["metric"]): row["value"] for row in rows}

    assert values["white_matter", "dice"] == 1.0
    assert values["csf", "dice"] == 0.0
    assert 0 < values["classes", "weighted_class_dice"] < 1
    assert values["classes", "class_dice"] < 1
    assert {row["grid"] for row in rows} == {"prepared"}


class Program:
    """A segmenter with a program of its own, which starts once for all cases that it is given."""

    scheme = BRATS2023

    def __init__(self):
        self.starts = 0

    def segment_many(self, cases):
        """The cases' own labels, once all of them are read."""
        given = list(cases)
        self.starts += 1
        yield from (case.require_labels().to(BRATS2023) for case in given)


def context_of(fold, kind, folder, *needs, key=None):
    """A task of the test side that needs others, in their folders below that of the study."""
    records = {need: Record(need, need) for need in needs}
    task = Task(kind, kind, fold, print, key or {}, ("test",), needs)
    return Context(task, folder, records, Silent())


def test_a_program_labels_all_cases_of_a_task_in_one_call(tmp_path, monkeypatch):
    """On scans, on shuffled slices and on images of edited maps; each case is compared with its own labels."""
    fold, program = toy_fold(tmp_path), Program()
    for module in (segment, manipulate):
        monkeypatch.setattr(module, "open_segmenter", lambda *_: program)
    rows = judged_rows(fold.study.spec, (0, "scans", 0), program, toy_cohort([1, 2, 3]))
    assert (program.starts, len({row["case_id"] for row in rows})) == (1, 3)

    slices = write_slices(toy_cohort([1, 2, 3]), tmp_path / "leaky", test=0.3, validation=0.3, seed=1)
    leaky = replace(fold, planned=sides_of(slices))
    scored = segment.score_slices(context_of(leaky, "scores", tmp_path, "segmenter"), regions=("WT",))
    assert (program.starts, len({row.subject_id for row in scored.rows})) == (2, len(leaky.split.test))

    monkeypatch.setattr(manipulate, "open_synthesizer", lambda *_: None)
    monkeypatch.setattr(manipulate, "synthesize_cohort", lambda *_, **__: SPLIT.test)
    monkeypatch.setattr(manipulate, "cohort_in", lambda _: SPLIT.test)
    context = context_of(fold, "asked", tmp_path / "asked", "synthesizer", "judge", "edited")
    asked = manipulate.judge_edits(context, seed=1, regions=("WT",))
    assert (program.starts, len({row.case_id for row in asked.rows})) == (3, len(SPLIT.test))
    for done in (rows, [vars(row) for row in (*scored.rows, *asked.rows)]):
        assert {row["value"] for row in done if row["metric"] == "dice" and row["region"] == "WT"} == {1.0}
    assert list(labelled(program, toy_cohort([]))) == []
