"""A dry run refuses what the run would refuse at its start, in the same words, and writes nothing."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from fixtures_layouts import LAYOUTS
from glioforge.cli.main import app
from glioforge.core.cohort import Cohort
from glioforge.core.errors import DependencyError, GlioforgeError
from glioforge.core.schemes import COMPLETE
from glioforge.io.cohort_file import write_cohort
from glioforge.io.run_folder import Step
from glioforge.runs.train import TrainingRunSpec, require_trainable, with_own_budget
from toy_cohort import toy_cohort


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans, an empty cohort, a folder of another command, and settings of a training."""
    folder = tmp_path_factory.mktemp("dry")
    writer, heads, _, _ = LAYOUTS["brats"]
    writer(folder / "scans", heads)
    write_cohort(Cohort("none", (), COMPLETE), folder / "empty")
    with Step(folder / "taken", {"verb": "ingest"}):
        pass
    spec = {"synthesizer": "painted", "test": 0.6, "validation": 0.5}
    (folder / "shares.yaml").write_text(json.dumps(spec))
    (folder / "control.yaml").write_text(json.dumps({"synthesizer": "painted"}))
    return folder


CASES = {
    "a missing cohort": ["edit", "gone", "--recipe", "default", "--out", "out"],
    "missing donors": ["edit", "empty", "--recipe", "default", "--out", "out", "--donors", "gone"],
    "a folder of another command": ["edit", "empty", "--recipe", "default", "--out", "taken"],
    "an empty cohort": ["prepare", "empty", "--out", "out"],
    "contrasts that are not there": ["prepare", "scans", "--out", "out", "--set", "modalities=[aptw]"],
    "no scans": ["prepare", "gone", "--out", "out"],
    "shares above 1": ["train", "shares.yaml", "empty", "--out", "out"],
    "nobody to train on": ["train", "control.yaml", "empty", "--out", "out"],
    "a training into a cohort": ["train", "control.yaml", "empty", "--out", "empty"],
    "scans into their own folder": ["prepare", "scans", "--out", "scans"],
    "a wrong setting of phantoms": ["phantom", "--out", "out", "--set", "shape=3"],
    "a folder that phantoms may not take": ["phantom", "--out", "taken"],
}


@pytest.mark.parametrize("words", CASES.values(), ids=list(CASES))
def test_a_dry_run_refuses_as_the_run_does(place: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """Found, expected and remedy."""
    monkeypatch.chdir(place)
    told = []
    for more in ([], ["--dry-run"]):
        with pytest.raises(GlioforgeError) as caught:
            CliRunner().invoke(app, [*words, *more], catch_exceptions=False)
        told.append(str(caught.value))

    assert told[0] == told[1]
    assert not (place / "out").exists()


def test_an_estimate_refuses_as_the_run_does(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of a split that leave nobody to train on."""
    monkeypatch.chdir(place)
    with pytest.raises(GlioforgeError, match="leave no subject to train on"):
        CliRunner().invoke(app, [*CASES["shares above 1"], "--estimate"], catch_exceptions=False)


def test_a_study_shows_its_plan(tmp_path: Path) -> None:
    """After all settings; nothing is written."""
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out"), "--dry-run"], catch_exceptions=False)

    assert "kind: augmentation" in result.output
    assert "tasks, 0 done" in result.output
    assert "to do: " in result.output
    assert not (tmp_path / "out").exists()


def test_a_dry_run_shows_one_budget() -> None:
    """The one that counts, at the model; the settings that are printed train the same."""
    settings = TrainingRunSpec.model_validate({"synthesizer": {"kind": "painted"}, "budget": {"steps": 7}})
    shown = with_own_budget(settings)

    assert shown.budget is None
    assert shown.synthesizer is not None
    assert shown.synthesizer.budget.steps == 7
    assert with_own_budget(shown) is shown


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_dry_run_of_a_training_checks_the_device(place: Path) -> None:
    """As the training does at its start."""
    cohort = toy_cohort(range(6))
    settings = TrainingRunSpec.model_validate({"synthesizer": "painted", "accelerator": {"device": "cuda"}})
    with pytest.raises(DependencyError, match="device 'cuda' without a GPU"):
        require_trainable(settings, cohort, place / "out")
