"""Promises of training in several processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import toy_parallel


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["supervised", "adversarial", "norms"])
def test_two_processes_are_one_process_with_the_whole_batch(tmp_path, kind):
    """Gradients are averaged over processes, for one network and for two players, and batch norm sees all samples."""
    for devices in (1, 2):
        subprocess.run(
            [sys.executable, toy_parallel.__file__, kind, str(devices), str(tmp_path / str(devices))],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(toy_parallel.__file__).parent)},
            check=True,
            capture_output=True,
            timeout=240,
        )
    one, two = (load_file(tmp_path / str(n) / "weights.safetensors") for n in (1, 2))
    start = toy_parallel.recipe(kind).inference_network().state_dict()
    assert any(not torch.equal(start[name], one[name]) for name in one)
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-5)
    rows = [(tmp_path / str(n) / "history.csv").read_text().splitlines() for n in (1, 2)]
    assert rows[0][0] == rows[1][0]
    for left, right in zip(rows[0][1:], rows[1][1:], strict=True):
        assert [float(v) for v in left.split(",")] == pytest.approx([float(v) for v in right.split(",")], rel=1e-3)
