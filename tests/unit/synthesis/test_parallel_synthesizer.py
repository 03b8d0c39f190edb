"""Promises of training a synthesizer in several processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import toy_parallel_synthesizer
from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.synthesis.base import load_synthesizer
from glioforge.training.parallel import leads


@pytest.mark.slow
def test_two_processes_train_one_synthesizer_in_one_folder(tmp_path):
    """The first writes, the other waits; both stages of pix2pixHD are taken, and both end with the same model."""
    script = toy_parallel_synthesizer.__file__
    done = subprocess.run(
        [sys.executable, script, "2", str(tmp_path / "m")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(script).parent)},
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    )
    trained = load_synthesizer(tmp_path / "m")
    assert done.stdout.split() == [trained.weights_hash] * 2
    assert trained.card.outcome.steps == 4
    assert int(trained._method.network.generator.trained) == 1


@pytest.mark.parametrize(
    ("devices", "variables", "expected"),
    [
        (1, {"SLURM_PROCID": "3"}, True),
        (2, {}, True),
        (2, {"LOCAL_RANK": "1"}, False),
        (2, {"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
        (2, {"RANK": "0", "LOCAL_RANK": "0"}, True),
    ],
)
def test_the_first_process_writes(monkeypatch, devices, variables, expected):
    """Whatever launcher numbered them; a single process writes always."""
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert leads(AcceleratorSpec(device="cpu", devices=devices)) == expected
