"""Promises of training a sampler in several processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import toy_parallel_sampler
from glioforge.sampling.base import load_sampler


@pytest.mark.slow
def test_two_processes_train_one_sampler_in_one_folder(tmp_path):
    """The first writes, the other waits, and both end with the same model."""
    script = toy_parallel_sampler.__file__
    done = subprocess.run(
        [sys.executable, script, "2", str(tmp_path / "m")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(script).parent)},
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    )
    trained = load_sampler(tmp_path / "m")
    assert done.stdout.split() == [trained.card.weights] * 2
    assert trained.card.outcome.steps == 4
