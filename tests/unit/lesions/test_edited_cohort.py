"""Cohorts of edited maps."""

import shutil

import numpy as np
import pytest

from glioforge.compute.parallel import ParallelSpec
from glioforge.config.load import parse_spec
from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import EditError, OutputError
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import EditRecord, Silent
from glioforge.core.schemes import COMPLETE
from glioforge.data.store import write_case
from glioforge.io.cohort_file import read_cohort
from glioforge.lesions.edited_cohort import edit_cohort
from glioforge.lesions.recipe import RecipeSpec, replay
from toy_brain import toy_brain

SHIFT = parse_spec({"name": "shift", "steps": [{"edit": "translate"}]}, RecipeSpec)


@pytest.fixture
def cohort(tmp_path):
    """Two subjects in a store."""
    refs = []
    for number, centre in enumerate([(0.34, 0.6, 0.62), (0.68, 0.4, 0.6)]):
        labels = toy_brain(centre=centre, radii=(14.0, 9.0, 5.0))
        case = Case(f"case{number}", f"s{number}", {}, Lineage.real("toy", f"s{number}"), labels, labels.voxels > 0)
        refs.append(write_case(tmp_path / "parents", case))
    return Cohort("toy", tuple(refs), COMPLETE)


class Listener(Silent):
    """Progress that remembers what was said."""

    def __init__(self):
        self.said = []

    def say(self, text):
        """Remember."""
        self.said.append(text)


def test_every_case_is_edited_and_written_with_its_lineage(cohort, tmp_path):
    """The folder reads back as the same cohort; its records replay to its maps."""
    edited = edit_cohort(cohort, SHIFT, tmp_path / "out", count=2, seed=3)
    again = read_cohort(tmp_path / "out")

    assert [ref.case_id for ref in again] == [f"case{c}-edit00{n}" for c in (0, 1) for n in (0, 1)]
    assert again.fingerprint == edited.fingerprint
    assert again.subjects_behind == {"s0", "s1"}
    ref = again["case1-edit000"]
    records = [EditRecord.from_json(edit) for edit in ref.lineage.edits]
    parent = cohort["case1"].load().require_labels()
    assert np.array_equal(replay(parent, records).voxels, ref.load().require_labels().voxels)
    assert ref.lineage.parents == ("case1",)


def test_workers_and_interruptions_change_nothing(cohort, tmp_path):
    """One process, two processes, and a folder that was half done give the same cases."""
    whole = edit_cohort(cohort, SHIFT, tmp_path / "a", count=2)
    edit_cohort(cohort, SHIFT, tmp_path / "b", count=2)
    for name in ("done.json", "cohort.json"):
        (tmp_path / "b" / name).unlink()
    shutil.rmtree(tmp_path / "b" / "case1-edit001")
    resumed = edit_cohort(cohort, SHIFT, tmp_path / "b", count=2, parallel=ParallelSpec(workers=2))

    assert whole.fingerprint == resumed.fingerprint


def test_other_settings_in_the_same_folder_are_refused(cohort, tmp_path):
    """Edits of another seed are never taken for those asked for."""
    edit_cohort(cohort, SHIFT, tmp_path / "out", seed=1)
    with pytest.raises(OutputError, match="seed was 1, is now 2"):
        edit_cohort(cohort, SHIFT, tmp_path / "out", seed=2)


def test_donors_are_other_subjects(cohort, tmp_path):
    """Nobody gives a lesion to himself; both stand behind the case."""
    recipe = parse_spec({"name": "swap", "steps": [{"edit": {"kind": "transplant", "place": "anywhere"}}]}, RecipeSpec)
    edited = edit_cohort(cohort, recipe, tmp_path / "out")

    assert [ref.lineage.edits[0]["donor"] for ref in edited] == ["case1", "case0"]
    assert all(set(ref.lineage.subjects) == {"s0", "s1"} for ref in edited)


def test_what_cannot_be_edited_is_said(cohort, tmp_path):
    """A case without valid place is left out and named; if none is left, that is an error."""
    step = {"edit": {"kind": "translate", "distance_mm": [900, 901]}}
    far = parse_spec({"name": "far", "attempts": 1, "steps": [step]}, RecipeSpec)
    listener = Listener()
    with pytest.raises(EditError, match="no edited cases: case0-edit000 is left out"):
        edit_cohort(cohort, far, tmp_path / "out", progress=listener)
    assert [text.split(" is")[0] for text in listener.said] == ["case0-edit000", "case1-edit000"]


def test_an_empty_cohort_gives_an_empty_cohort(tmp_path):
    """Nothing in, nothing out."""
    assert len(edit_cohort(Cohort("none", (), COMPLETE), SHIFT, tmp_path)) == 0
