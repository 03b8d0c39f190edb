"""Promises of a run of nnU-Net: subjects are kept away, masks come by the usual verb, an export is whole."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.compute.parallel import ParallelSpec
from glioforge.core.errors import CohortError, OutputError, SpecError
from glioforge.core.protocols import Silent
from glioforge.data.prepare.record import PREPARATION
from glioforge.io.ingest import ingest
from glioforge.runs.nnunet import export_nnunet, run_nnunet
from glioforge.runs.segment import segment_folder
from glioforge.segmentation.evaluate import evaluate_predictions
from glioforge.segmentation.nnunet import NnunetRunSpec, is_nnunet
from toy_cohort import toy_cohort
from toy_nnunet import install_commands

SPEC = NnunetRunSpec(device="cpu", folds=2)
HOW = {"parallel": ParallelSpec(), "progress": Silent()}


def test_a_run_keeps_subjects_away_and_is_asked_by_the_usual_verb(tmp_path, monkeypatch):
    """Kept subjects are in no fold and no raw folder; masks of theirs are judged like anybody's."""
    install_commands(tmp_path, monkeypatch)
    cohort, run = replace(toy_cohort(range(1, 7)), folder=tmp_path), tmp_path / "run"
    (tmp_path / "prepare.json").write_text('{"key": {"spec": {}}}')
    line = run_nnunet(cohort, SPEC, run, test=0.3, seed=1, progress=Silent())
    sides = json.loads((run / "split.json").read_text())
    assert line.startswith("nnU-Net trained on 4 subjects in 2 folds, kept 2 away")
    assert sorted(sides["train"] + sides["test"]) == list(cohort.subject_ids)
    written = {path.name.split("-")[0] for path in run.rglob("labelsTr/*.nii.gz")}
    assert written == set(sides["train"])
    assert (run / PREPARATION).is_file()
    test = cohort.of_subjects(sides["test"])
    segment_folder(test, run, tmp_path / "masks", **HOW)
    assert {row.value for row in evaluate_predictions(tmp_path / "masks", test, metrics=("dice",))} == {1.0}
    with pytest.raises(SpecError, match="probabilities of an nnU-Net"):
        segment_folder(test, run, tmp_path / "masks", probabilities=True, **HOW)


def test_an_nnunet_of_raw_scans_labels_raw_scans(tmp_path, monkeypatch):
    """Without a record of a preparation the scans are taken as they are."""
    install_commands(tmp_path, monkeypatch)
    run_nnunet(toy_cohort(range(1, 7)), SPEC, tmp_path / "run", test=0.3, seed=1, progress=Silent())
    export_nnunet(toy_cohort(range(6)), SPEC, tmp_path / "raw", test=0.3, seed=1, progress=Silent())
    scans = ingest(tmp_path / "raw" / "nnUNet_raw" / "Dataset001_glioforge")
    masks = segment_folder(scans, tmp_path / "run", tmp_path / "masks", **HOW)
    assert [path.name for path in masks] == [f"{ref.case_id}.nii.gz" for ref in scans]
    assert not (tmp_path / "masks" / "prepared").exists()


def test_an_export_holds_data_folds_and_split(tmp_path):
    """Needs no nnU-Net."""
    line = export_nnunet(toy_cohort(range(6)), SPEC, tmp_path / "out", test=0.3, seed=1, progress=Silent())
    folds = json.loads((tmp_path / "out" / "splits_final.json").read_text())
    written = sorted(path.name[:-7] for path in tmp_path.rglob("labelsTr/*.nii.gz"))
    assert "4 cases of" in line
    assert sorted(case for fold in folds for case in fold["val"]) == written


def test_an_export_is_not_written_over_and_a_refused_one_leaves_nothing(tmp_path):
    """Other cases into the same folder would mix two data sets; settings can be corrected after an error."""
    how = {"test": 0.3, "seed": 1, "progress": Silent()}
    with pytest.raises(CohortError, match="50 folds"):
        export_nnunet(toy_cohort(range(6)), NnunetRunSpec(device="cpu", folds=50), tmp_path / "raw", **how)
    for _ in range(2):
        export_nnunet(toy_cohort(range(6)), SPEC, tmp_path / "raw", **how)
    with pytest.raises(OutputError, match="cohort .*was .*, is now "):
        export_nnunet(toy_cohort(range(8)), SPEC, tmp_path / "raw", **how)


def test_the_verb_exports_a_folder_of_scans(tmp_path):
    """From the command line; settings can be shown first."""
    export_nnunet(toy_cohort(range(6)), SPEC, tmp_path / "raw", test=0.2, seed=1, progress=Silent())
    scans, out = str(tmp_path / "raw" / "nnUNet_raw" / "Dataset001_glioforge"), str(tmp_path / "again")
    shown = CliRunner().invoke(app, ["nnunet", scans, "--out", out, "--dry-run", "--set", "folds=2"])
    assert "folds: 2" in shown.output
    made = CliRunner().invoke(app, ["nnunet", scans, "--out", out, "--export", "--set", "folds=2"])
    assert made.exit_code == 0, made.output
    assert len(list((tmp_path / "again").rglob("labelsTr/*.nii.gz"))) == 4


def test_only_a_card_of_its_own_makes_an_nnunet(tmp_path):
    """A missing folder and other models are none."""
    assert not is_nnunet(tmp_path)
    (tmp_path / "card.json").write_text('{"type": "segmenter"}')
    assert not is_nnunet(tmp_path)
