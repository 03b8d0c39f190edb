"""The test lock of studies: whose look counts, what resets it not, and what the report says."""

import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from fixtures_layouts import brats
from glioforge.core.errors import InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Silent
from glioforge.core.volume import Modality, Volume
from glioforge.io.cohort_file import write_cohort
from glioforge.io.digest import scan_keys
from glioforge.io.folder_kind import state_folder
from glioforge.io.ingestion import ingest
from glioforge.report.page import Report, Section
from glioforge.studies import questions
from glioforge.studies.engine import run_study, write_report
from glioforge.studies.lock import Standing, lock_of, settings_hash
from glioforge.studies.lock_page import notice, with_lock
from glioforge.studies.looks import BESIDE_NAME, STATE_NAME
from glioforge.studies.question import QUESTIONS, load_study
from toy_cohort import cohort_of_cases, toy_case

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "add-a-question.md"
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
STUDY = {
    "kind": "volumes",
    "name": "volumes",
    "title": "How large are the tumours?",
    "split": {"kind": "holdout", "test": 0.3, "validation": 0.2},
    "prepare": {"tissue": None},
    "regions": ["WT"],
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """A state folder of each test."""
    monkeypatch.setenv("GLIOFORGE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Scans of five people, and the question of the documentation in a package of its own."""
    place = tmp_path_factory.mktemp("lock")
    brats(place / "scans", {f"Brats18_X_{name}_1": seed for seed, name in enumerate("ABCDE")})
    (place / "package").mkdir()
    (place / "package" / "volumes.py").write_text(EXAMPLE, encoding="utf-8")
    (place / "study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    sys.modules.pop("glioforge.studies.questions.volumes", None)
    questions.__path__.append(str(place / "package"))
    yield place
    questions.__path__.remove(str(place / "package"))
    QUESTIONS._entries.pop("volumes", None)
    sys.modules.pop("glioforge.studies.questions.volumes", None)


def asked(scans, out, data=None, *changes):
    """Run the study, and return what the lock said."""
    run_study(load_study(scans / "study.yaml", changes), out, data=data or scans / "scans")
    return Standing.read(out)


def test_what_resets_the_lock_and_what_does_not(scans, tmp_path, state):
    """Neither a second ingest, another name, folder nor number of workers; a changed setting is exploratory."""
    data = tmp_path / "cohort"
    write_cohort(ingest(scans / "scans"), data)
    first = asked(scans, tmp_path / "one", data)
    assert (first.kind, first.others, first.looked is not None) == ("pre-registered", (), True)
    assert (data / BESIDE_NAME).is_file()
    page = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert page.index("Pre-registered. Settings") < page.index("<nav")

    store = tmp_path / "one" / "tasks"
    other = load_study(scans / "study.yaml", ["name=other", "title=Other?", "parallel.workers=1"])
    run_study(other, tmp_path / "two", data=data, store=store)
    assert Standing.read(tmp_path / "two") == first
    assert write_report(tmp_path / "one").read_text(encoding="utf-8") == page

    renamed = tmp_path / "renamed"
    brats(renamed, {f"Brats18_Y_{name}_1": seed for seed, name in enumerate("ABCDE")})
    shutil.rmtree(state)  # of the union, one copy is enough
    known = {"keys_file": tmp_path / "keys.json", "beside": data, "progress": Silent(), "name": "n", "title": ""}
    changed = lock_of(ingest(renamed), study="another budget", **known).registered(Silent()).standing()
    assert changed.kind == "exploratory"
    assert changed.earlier[0].study == first.study
    assert with_lock(Report("Q?", "A.", ()), changed).notices[0].text.startswith("Exploratory, not confirmatory.")
    assert (state / STATE_NAME).is_file()


def test_nothing_is_written_among_scans(scans, tmp_path):
    """Only a cohort that Glioforge wrote has a copy beside it."""
    known = {"keys_file": None, "progress": Silent(), "name": "n", "title": "", "study": "s"}
    lock_of(ingest(scans / "scans"), beside=scans / "scans", **known).registered(Silent()).look()

    assert not list(scans.rglob(BESIDE_NAME))


def test_two_studies_registered_before_any_look_are_both_pre_registered(scans, tmp_path):
    """What counts is when the settings were fixed."""
    cohort = ingest(scans / "scans")
    known = {"keys_file": tmp_path / "keys.json", "beside": None, "progress": Silent(), "title": ""}
    a, b = (lock_of(cohort, study=name, name=name, **known).registered(Silent()) for name in "ab")
    a.look()

    assert a.standing().kind == b.standing().kind == "pre-registered"
    assert [look.name for look in b.standing().others] == ["a"]
    c = lock_of(list(cohort)[:1], study="c", name="c", **known).standing()
    assert (c.kind, c.earlier[0].shared, c.scans) == ("exploratory", 1, 1)
    assert "1 earlier look" in notice(c).text


def test_phantoms_are_exempt_and_that_is_said(tmp_path, state):
    """Nothing is written for them, and they are left out of a mixed cohort."""
    case = toy_case(1)
    phantom = replace(case, case_id="p", lineage=Lineage.phantom("p", 1))
    known = {"study": "s", "name": "n", "title": "t", "beside": None, "progress": Silent()}
    lock = lock_of(cohort_of_cases([phantom]), keys_file=tmp_path / "a.json", **known)
    lock.look()

    assert lock.standing() == Standing("exempt")
    assert "phantoms are exempt" in notice(lock.standing()).text
    assert not state.exists()
    mixed = lock_of(cohort_of_cases([phantom, case]), keys_file=tmp_path / "b.json", **known)
    assert mixed.standing().scans == 1


def test_a_damaged_lock_stops_a_study_before_it_scores(scans, tmp_path, state):
    """With a typed error that names the file."""
    state.mkdir()
    (state / STATE_NAME).write_text("{", encoding="utf-8")

    with pytest.raises(InputFileError, match=re.escape(str(state / STATE_NAME))):
        asked(scans, tmp_path / "out")
    assert not list((tmp_path / "out").glob("fold-0/guess"))


def test_voxels_alone_decide_the_keys_of_a_scan():
    """Axes, margins, names and label values change nothing; another voxel does."""
    case = toy_case(3)
    voxels = np.pad(case.images[Modality.T1].voxels, 2)[::-1, :, :].transpose(1, 0, 2)
    flipped = np.diag([10.0, 10.0, 10.0, 1.0])[[1, 0, 2, 3]]
    flipped[0] *= -1
    geometry = Geometry(voxels.shape, flipped)
    held = {Modality.T2: Volume(np.ascontiguousarray(voxels), geometry, Modality.T2)}
    other = replace(case, images=held, labels=None, brain=None)

    assert set(scan_keys(other)) < set(scan_keys(case))
    assert len(scan_keys(case)) == len(case.images) + 1
    changed = voxels.copy()
    changed[tuple(np.argwhere(voxels != 0)[0])] += 1
    held = {Modality.T2: Volume(np.ascontiguousarray(changed), geometry, Modality.T2)}
    assert not set(scan_keys(replace(other, images=held))) & set(scan_keys(case))
    blank = {Modality.T2: Volume(np.zeros(voxels.shape, np.float32), geometry, Modality.T2)}
    assert scan_keys(replace(other, images=blank)) == ()


def test_titles_and_workers_are_no_settings(scans):
    """Everything else is."""
    study = scans / "study.yaml"
    same = [load_study(study, change) for change in ([], ["title=x", "name=y"], ["parallel.workers=2"])]

    assert len({settings_hash(spec) for spec in same}) == 1
    assert settings_hash(load_study(study, ["seed=2"])) != settings_hash(same[0])


def test_a_report_without_a_lock_stays_as_it_is():
    """Folders of studies from before the lock have none."""
    report = Report("Q?", "A.", (Section("S", ()),))

    assert with_lock(report, None) is report
    assert [s.heading for s in with_lock(report, Standing("exempt")).sections] == ["Looks at the test subjects", "S"]


def test_the_state_folder_follows_the_variable_and_the_platform(monkeypatch, tmp_path):
    """`GLIOFORGE_STATE` goes before the platform's rule."""
    assert state_folder() == Path(os.environ["GLIOFORGE_STATE"])
    monkeypatch.delenv("GLIOFORGE_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder().name == "glioforge"
