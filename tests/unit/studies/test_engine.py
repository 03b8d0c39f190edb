"""Promises of `studies.engine`: one file makes a question, one command its page, and the same command goes on."""

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from glioforge.core.errors import GlioforgeError, InputFileError, OutputError
from glioforge.io.run_folder import read_json, write_json
from glioforge.io.tables import read_results
from glioforge.studies import questions
from glioforge.studies.engine import run_study, write_report
from glioforge.studies.forecast import plan_study
from glioforge.studies.question import QUESTIONS, load_study

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "add-a-question.md"
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
STUDY = {
    "kind": "volumes",
    "name": "volumes",
    "title": "How large are the tumours?",
    "data": {"kind": "phantom", "cases": 4, "seed": 5, "phantom": {"shape": [24, 24, 20]}},
    "split": {"kind": "folds", "folds": 2, "validation": 0.25},
    "prepare": {"tissue": None},
    "regions": ["WT"],
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with the question of the documentation in a package of its own, and a YAML that asks it."""
    place = tmp_path_factory.mktemp("question")
    (place / "package").mkdir()
    (place / "package" / "volumes.py").write_text(EXAMPLE, encoding="utf-8")
    (place / "study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    sys.modules.pop("glioforge.studies.questions.volumes", None)
    questions.__path__.append(str(place / "package"))
    yield place
    questions.__path__.remove(str(place / "package"))
    QUESTIONS._entries.pop("volumes", None)
    sys.modules.pop("glioforge.studies.questions.volumes", None)


@pytest.fixture(scope="module")
def run(folder):
    """Folder of the study, run once."""
    run_study(load_study(folder / "study.yaml"), folder / "run")
    return folder / "run"


def test_one_file_makes_a_question(folder, run):
    """Found by its name, of 60 lines, with a page from four phantoms."""
    assert len(EXAMPLE.splitlines()) <= 65
    assert "volumes" in QUESTIONS.kinds()
    assert "How large are the tumours?" in (run / "report.html").read_text(encoding="utf-8")
    rows = read_results(run)
    assert {(row.study, row.arm, row.fold, row.region) for row in rows} == {
        ("volumes", "mean", f, "WT") for f in (0, 1)
    }
    assert len({row.subject_id for row in rows}) == 4


def test_a_finished_study_stays_finished(folder, run):
    """The same command does no task again, and writes the same bytes."""
    before = {file: file.stat().st_mtime_ns for file in (run / "tasks").glob("[cm]*/done.json")}
    results = (run / "results.csv").read_bytes()
    run_study(load_study(folder / "study.yaml"), run)

    assert len(before) == 4
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert (run / "results.csv").read_bytes() == results
    assert all(task.done for task in plan_study(load_study(folder / "study.yaml"), run))


def test_two_studies_share_a_store(folder, run):
    """Another name and title, the same tasks: phantoms, prepared cases and measurements are made once."""
    store = run / "tasks"
    before = sorted(path.name for path in store.iterdir())
    other = load_study(folder / "study.yaml", ["name=other", "title=Other"])
    assert not plan_study(other, folder / "other")[0].done
    run_study(other, folder / "other", store=store)

    assert sorted(path.name for path in store.iterdir()) == before
    assert {row.study for row in read_results(folder / "other")} == {"other"}
    assert [r.value for r in read_results(folder / "other")] == [r.value for r in read_results(run)]


def test_the_page_is_written_again(run):
    """From what lies in the folder; a folder of another version is named as such."""
    page = (run / "report.html").read_bytes()
    assert write_report(run).read_bytes() == page
    values = read_json(run / "study.json")
    write_json(run / "study.json", {name: value for name, value in values.items() if name != "version"})
    with pytest.raises(InputFileError, match="a study folder of version 1; expected version 3"):
        write_report(run)
    write_json(run / "study.json", values, in_order=True)


def test_a_folder_of_an_older_version_is_refused(folder, tmp_path):
    """By the run and by the plan, with the key that differs."""
    spec = load_study(folder / "study.yaml")
    write_json(tmp_path / "step.json", {"key": {"study": spec.identity(), "scans": "phantoms"}})
    (tmp_path / "store").mkdir()

    for call in (run_study, plan_study):
        with pytest.raises(OutputError, match="version was absent, is now 3"):
            call(spec, tmp_path)


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        (["seed=9"], False),
        (["modalities=[aptw]"], False),
        (["data={kind: folder}"], False),
        ([], True),
        (["split.folds=2", "data.cases=3"], False),
    ],
)
def test_the_plan_refuses_what_the_run_refuses(folder, run, tmp_path, changes, data):
    """With the same words, and before anything is written."""
    spec = load_study(folder / "study.yaml", changes)
    out = run if changes == ["seed=9"] else tmp_path / "out"
    told = []
    for call in (run_study, plan_study):
        with pytest.raises(GlioforgeError) as caught:
            call(spec, out, data=tmp_path if data else None)
        told.append(str(caught.value))

    assert told[0] == told[1]
    assert not (tmp_path / "out").exists()


def test_a_report_before_the_end_names_the_tasks_that_are_missing(run, tmp_path):
    """With the command that goes on, its folder quoted; before the cases are prepared, this is what is missing."""
    study = tmp_path / "my study"
    shutil.copytree(run, study, symlinks=True)
    (study / "records.json").unlink()
    with pytest.raises(InputFileError, match="the study is not finished; its results are not written yet"):
        write_report(study)
    tasks = [task for task in plan_study(load_study(run.parent / "study.yaml"), run) if task.done]
    (study / tasks[-1].name / "done.json").unlink()
    with pytest.raises(InputFileError) as caught:
        write_report(study)
    assert caught.value.found == f"the study is not finished; 1 task missing: {tasks[-1].name}"
    assert caught.value.remedy.endswith(f"glioforge study YAML --out '{study}'")
    shutil.rmtree(study / "tasks")
    with pytest.raises(InputFileError, match="1 task missing: preparing the cases"):
        write_report(study)


def test_a_folder_of_something_else_is_named(tmp_path):
    """A cohort is no study."""
    (tmp_path / "cohort.json").write_text("{}")
    with pytest.raises(InputFileError, match="this is a cohort; expected a study"):
        write_report(tmp_path)
