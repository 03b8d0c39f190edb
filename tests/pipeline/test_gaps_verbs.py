"""Shin's two stages from the command line: brains with T1 alone first, then patients with four contrasts."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.core.errors import InputFileError
from glioforge.core.rng import stream
from glioforge.core.volume import Modality
from glioforge.io.cohort_file import read_cohort
from glioforge.synthesis.base import load_synthesizer

FOUR = ("t1", "t1ce", "t2", "flair")
RUN = {
    "synthesizer": {
        "kind": "pix2pix",
        "preset": "sound",
        "gaps": True,
        "gaps_first": 0.5,
        "gaps_then": "complete",
        "ngf": 2,
        "critic_width": 2,
        "critic_layers": 2,
        "critic_scales": 1,
        "budget": {"steps": 4, "validate_every": 4, "checkpoint_every": 4},
    },
    "accelerator": {"device": "cpu", "threads": 1},
}


def call(*words: object) -> None:
    """Run a verb; a typed error is raised for the test to see."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    assert result.exit_code == 0, result.output


def write_scans(folder: Path) -> None:
    """Three healthy brains with T1 alone, and four patients with all contrasts."""
    for number in range(7):
        rng = np.random.default_rng(number)
        name = f"BraTS20_Training_{number:03}"
        brain = np.zeros((16, 16, 16), dtype=bool)
        brain[2:14, 2:14, 2:14] = True
        labels = np.zeros(brain.shape, dtype=np.uint8)
        if number >= 3:
            labels[4:9, 4:9, 4:9], labels[5:8, 5:8, 5:8], labels[6, 6, 6] = 2, 4, 1
        images = {c: np.where(brain, rng.integers(100, 900, brain.shape), 0) for c in FOUR[: 1 if number < 3 else 4]}
        for role, voxels in {**images, "seg": labels}.items():
            path = folder / name / f"{name}_{role}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            dtype = np.uint8 if role == "seg" else np.int16
            nib.save(nib.Nifti1Image(voxels.astype(dtype), np.diag([-10.0, -10.0, 10.0, 1.0])), path)


def test_a_cohort_with_gaps_goes_from_scans_to_a_trained_generator(tmp_path: Path) -> None:
    """Refused without the option, which the message names; with it every verb keeps each case's own contrasts."""
    write_scans(tmp_path / "scans")
    with pytest.raises(InputFileError, match=r"BraTS20_Training_000: no t1ce, t2, flair file.*--allow-missing"):
        call("ingest", tmp_path / "scans", "--out", tmp_path / "cohort")
    call("ingest", tmp_path / "scans", "--out", tmp_path / "cohort", "--allow-missing")
    prepared = ("prepare", tmp_path / "cohort", "--out", tmp_path / "prepared", "--allow-missing")
    call(*prepared, "--set", "tissue.samples=1000")
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(RUN), encoding="utf-8")
    call("train", tmp_path / "run.yaml", tmp_path / "prepared", "--out", tmp_path / "model")
    cohort = read_cohort(tmp_path / "prepared")
    trained = load_synthesizer(tmp_path / "model")
    made = trained.synthesize(cohort.cases[0].load().require_labels(), stream(1))

    assert [len(ref.load().images) for ref in cohort] == [1, 1, 1, 4, 4, 4, 4]
    assert tuple(made) == tuple(Modality(c) for c in FOUR)
    assert json.loads((tmp_path / "prepared" / "prepare.json").read_text())["key"]["spec"]["allow_missing"] is True
