"""Promises of completing a cohort from the command line: it can be trained on, and what cannot complete says so."""

import json
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.compute.parallel import ParallelSpec
from glioforge.core.cohort import Cohort
from glioforge.core.errors import InputFileError, SpecError
from glioforge.core.protocols import Silent
from glioforge.core.schemes import BRATS2023, COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.preparation.record import PREPARATION
from glioforge.data.store import write_case
from glioforge.io.cohort_file import read_cohort, write_cohort
from glioforge.io.digest import hash_of_file
from glioforge.runs import segment
from glioforge.runs.segment import complete_folder
from glioforge.runs.train import TrainingRunSpec, run_training
from glioforge.segmentation.nnunet import NnunetSpec, checkpoint
from glioforge.training.model_folder import Card, write_model
from toy_cohort import toy_case, toy_cohort

COMMON = {
    "budget": {"steps": 1, "validate_every": 1, "checkpoint_every": 1},
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}
HOW = {"parallel": ParallelSpec(), "progress": Silent()}
RECORD = {"key": {"spec": {"modalities": ["t1"]}}}


def spec(**changes):
    """A run of one model."""
    return TrainingRunSpec.model_validate({**COMMON, **changes})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A cohort in the store with a record of its preparation, and a segmenter that knows tissue."""
    folder = tmp_path_factory.mktemp("complete")
    cases = tuple(write_case(folder / "scans" / "cases", toy_case(seed)) for seed in range(4))
    write_cohort(Cohort("scans", cases, COMPLETE), folder / "scans")
    (folder / "scans" / "prepare.json").write_text(json.dumps(RECORD))
    unet = {"kind": "unet", "widths": [4, 8], "batch_size": 2, "target": "complete", "modalities": ["t1"]}
    run_training(
        replace(toy_cohort(range(10, 14)), folder=folder / "scans"),
        spec(segmenter=unet),
        folder / "model",
        progress=Silent(),
    )
    return folder


def test_the_verb_writes_a_cohort_that_a_synthesizer_is_trained_on(place):
    """The record of the preparation goes along, and the segmenter's subjects stand behind the model."""
    words = ["segment", place / "model", place / "scans", "--complete", "--out", place / "made"]
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "4 real" in result.output
    made = read_cohort(place / "made")
    assert all((place / "made" / name).is_file() for name in ("results.csv", "tissue.json"))
    run_training(made, spec(synthesizer={"kind": "painted"}), place / "second", progress=Silent())
    assert (place / "second" / PREPARATION).is_file()
    card = json.loads((place / "second" / "card.json").read_text())
    assert len(set(card["lineage"]["subjects"]) & {"s10", "s11", "s12", "s13"}) == 3


def test_scans_are_prepared_with_all_their_contrasts(place, tmp_path, monkeypatch):
    """Also where the segmenter's training cases had T1 alone."""
    asked = []

    def prepare(cohort, settings, out, **_):
        asked.append((settings.modalities, out))
        return read_cohort(place / "scans")

    monkeypatch.setattr(segment, "prepare", prepare)
    raw = Cohort("raw", tuple(replace(ref, scheme=BRATS2023.name) for ref in toy_cohort([1])), BRATS2023)
    made = complete_folder(raw, place / "model", tmp_path / "out", **HOW)
    assert asked == [(None, tmp_path / "out" / "prepared")]
    assert len(made) == 4


def test_scans_need_a_record_of_the_preparation(place, tmp_path):
    """Of the model's training cases."""
    shutil.copytree(place / "model", tmp_path / "model", ignore=shutil.ignore_patterns(PREPARATION))
    raw = Cohort("raw", tuple(replace(ref, scheme=BRATS2023.name) for ref in toy_cohort([1])), BRATS2023)
    with pytest.raises(InputFileError, match="no record of the preparation"):
        complete_folder(raw, tmp_path / "model", tmp_path / "out", **HOW)


def test_an_nnunet_cannot_complete(tmp_path):
    """It labels tumours alone."""
    spec = NnunetSpec(device="cpu")
    (tmp_path / "weights").write_text("")
    files = {checkpoint(spec, 0): hash_of_file(tmp_path / "weights")}
    (tmp_path / checkpoint(spec, 0)).parent.mkdir(parents=True)
    (tmp_path / checkpoint(spec, 0)).write_text("")
    card = Card("segmenter", spec, (Modality.T1,), toy_cohort([1]).lineage, files, BRATS2023)
    write_model(tmp_path, card, toy_cohort([1]), None)
    with pytest.raises(SpecError, match="an nnU-Net, which labels tumours alone; expected a segmenter of target"):
        complete_folder(toy_cohort([1]), tmp_path, tmp_path / "out", **HOW)


def test_complete_maps_and_probabilities_are_two_commands(place, tmp_path):
    """Asked for both, the verb writes neither."""
    words = ["segment", place / "model", place / "scans", "--complete", "--probabilities", "--out", tmp_path / "out"]
    with pytest.raises(SpecError, match="--complete with --probabilities; expected one of them"):
        CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert not (tmp_path / "out").exists()
