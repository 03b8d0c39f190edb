"""Promises of training in several processes, and of batch norm over them."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed, nn

import toy_parallel
from glioforge.training.parallel import synchronise_batch_norms


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


@pytest.fixture
def alone(tmp_path):
    """A group of one process."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize(("affine", "momentum"), [(True, 0.1), (False, None)])
def test_one_process_gets_what_torch_gives(alone, affine, momentum):
    """Output, gradients, running statistics and evaluation of two and three dimensions."""
    for plain, shape in ((nn.BatchNorm2d, (3, 4, 5, 6)), (nn.BatchNorm3d, (2, 4, 3, 2, 5))):
        torch.manual_seed(0)
        theirs = plain(4, affine=affine, momentum=momentum)
        if affine:
            nn.init.normal_(theirs.weight)
        mine = copy.deepcopy(theirs)
        synchronise_batch_norms(mine, 1)
        for _ in range(3):
            x = torch.randn(shape) * 3 + 1
            inputs = [x.clone().requires_grad_() for _ in range(2)]
            outputs = [norm(value) for norm, value in zip((mine, theirs), inputs, strict=True)]
            torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)
            for output in outputs:
                output.pow(3).sum().backward()
            torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-3, atol=1e-3)
        assert mine.state_dict().keys() == theirs.state_dict().keys()
        for name, value in theirs.state_dict().items():
            torch.testing.assert_close(mine.state_dict()[name], value, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(mine.eval()(x), theirs.eval()(x), rtol=1e-4, atol=1e-5)


def test_half_precision_comes_back_as_it_went_in_and_statistics_need_not_be_kept(alone):
    """Autocast hands over bfloat16; without running statistics there is nothing to note."""
    norm = nn.BatchNorm2d(2, track_running_stats=False)
    synchronise_batch_norms(norm, 1)
    made = norm(torch.randn(4, 2, 3, 3).bfloat16())
    assert made.dtype == torch.bfloat16
    assert abs(float(made.detach().float().mean())) < 0.01
