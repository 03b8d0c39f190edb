"""Promises of nnU-Net as a segmenter like others: subjects are kept away, and the usual verbs train and ask it."""

import json
from dataclasses import replace

import pytest
import yaml
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.compute.parallel import ParallelSpec
from glioforge.core.errors import DependencyError, SpecError
from glioforge.core.protocols import Silent
from glioforge.data.preparation.record import PREPARATION
from glioforge.io.ingestion import ingest
from glioforge.io.nnunet_raw import write_nnunet_raw
from glioforge.runs.segment import segment_folder
from glioforge.runs.train import TrainingRunSpec, estimate_training, run_training
from glioforge.segmentation.evaluate import evaluate_predictions
from toy_cohort import toy_cohort
from toy_nnunet import calls_in, install_commands

NNUNET = {"kind": "nnunet", "folds": 2, "device": "cpu"}
SPEC = TrainingRunSpec(segmenter=NNUNET, test=0.3, validation=0)
HOW = {"parallel": ParallelSpec(), "progress": Silent()}


def test_a_run_keeps_subjects_away_and_is_asked_by_the_usual_verb(tmp_path, monkeypatch):
    """Kept subjects are in no fold and no raw folder; masks of theirs are judged like anybody's."""
    install_commands(tmp_path, monkeypatch)
    cohort, run = replace(toy_cohort(range(1, 7)), folder=tmp_path), tmp_path / "run"
    (tmp_path / "prepare.json").write_text('{"key": {"spec": {}}}')
    line = run_training(cohort, SPEC, run)
    sides = json.loads((run / "split.json").read_text())
    assert line.startswith("trained on 4 subjects, 0 for validation, 2 kept away for testing")
    assert sorted(sides["train"] + sides["test"]) == list(cohort.subject_ids)
    written = {path.name.split("-")[0] for path in run.rglob("labelsTr/*.nii.gz")}
    assert written == set(sides["train"])
    assert (run / PREPARATION).is_file()
    test = cohort.of_subjects(sides["test"])
    segment_folder(test, run, tmp_path / "masks", **HOW)
    assert {row.value for row in evaluate_predictions(tmp_path / "masks", test, metrics=("dice",))} == {1.0}
    with pytest.raises(SpecError, match="probabilities of segmenter nnunet"):
        segment_folder(test, run, tmp_path / "masks", probabilities=True, **HOW)
    with pytest.raises(SpecError, match="precision or threads for an nnU-Net"):
        segment_folder(test, run, tmp_path / "masks", accelerator=AcceleratorSpec(threads=2), **HOW)
    assert run_training(cohort, SPEC, run) == line


def test_the_verbs_train_on_scans_and_label_scans(tmp_path, monkeypatch):
    """Without a record of a preparation the scans are taken as they are, and no warning says that they should not."""
    install_commands(tmp_path, monkeypatch)
    write_nnunet_raw(toy_cohort(range(6)), tmp_path / "raw" / "Dataset001_toy")
    scans = ingest(tmp_path / "raw" / "Dataset001_toy")
    cohort = tmp_path / "cohort"
    (tmp_path / "nnunet.yaml").write_text(yaml.safe_dump({"segmenter": NNUNET, "test": 0.3}))
    words = [["ingest", tmp_path / "raw" / "Dataset001_toy", "--out", cohort]]
    words += [["train", tmp_path / "nnunet.yaml", cohort, "--out", tmp_path / "run"]]
    words += [["segment", tmp_path / "run", cohort, "--out", tmp_path / "masks"]]
    for line in words:
        done = CliRunner().invoke(app, [str(word) for word in line], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert "not prepared" not in done.output
    assert sorted(path.name for path in (tmp_path / "masks").glob("*.nii.gz")) == [f"{r.case_id}.nii.gz" for r in scans]
    assert not (tmp_path / "masks" / "prepared").exists()
    assert [line.split()[0] for line in calls_in(tmp_path)] == ["plan_and_preprocess", "train", "predict"]


def test_without_its_program_nothing_begins(tmp_path, monkeypatch):
    """Neither a dry run nor a training; an estimate needs a network of this project."""
    monkeypatch.setenv("PATH", str(tmp_path))
    cohort = toy_cohort(range(1, 7))
    with pytest.raises(DependencyError, match=r"nnUNetv2_plan_and_preprocess is not on the path"):
        run_training(cohort, SPEC, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(SpecError, match="an estimate of a program of others"):
        estimate_training(cohort, SPEC)
