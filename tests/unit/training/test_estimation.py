"""Promises of the estimate: what it counts can be counted by hand, and it leaves nothing behind."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from glioforge.training.budget import Budget
from glioforge.training.estimation import Estimate, estimate
from glioforge.training.optimizer import OptimizerSpec
from glioforge.training.recipes.supervised import Supervised
from toy_training import run

BATCH, WIDTH = 8, 32


def recipe(recomputed=False):
    """Two layers of 32, whose outputs are kept by tanh."""
    network = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh())
    inner = network.forward
    if recomputed:
        network.forward = lambda x: checkpoint(inner, x, use_reentrant=False)
    return Supervised(network, lambda out, b: out.square().mean(), OptimizerSpec(), steps=100, ema=None)


def found(batch=BATCH, recomputed=False):
    """Estimate of a batch of numbers."""
    budget = Budget(steps=100, validate_every=30)
    data = {"images": torch.randn(batch, WIDTH)}
    return estimate(
        lambda folder: run(
            folder, recipe=recipe(recomputed), batches=lambda step: data, budget=budget, validate=lambda network: 0.0
        )
    )


def test_memory_is_what_can_be_counted_by_hand():
    """Twice 32 x 32 + 32 weights, Adam's two moments and step counts; kept are the input and two outputs."""
    seen = found()
    count = 2 * (WIDTH * WIDTH + WIDTH)
    assert seen.parameters == {"network": count}
    assert seen.shapes == {"images": (BATCH, WIDTH)}
    assert (seen.weights, seen.gradients, seen.optimizers) == (4 * count, 4 * count, 2 * 4 * count + 4 * 4)
    assert seen.activations == 3 * 4 * BATCH * WIDTH
    assert found(2 * BATCH).activations == 2 * seen.activations
    assert seen.peak > 2**20


def test_computing_again_keeps_less():
    """Only the input and the last output are kept."""
    assert found(recomputed=True).activations == 2 * 4 * BATCH * WIDTH


def test_time_is_of_steps_and_validations():
    """Five validations and a hundred steps."""
    budget = Budget(steps=100, validate_every=20)
    seen = Estimate({"a": 1234}, {"x": (2, 3)}, 2**20, 0, 0, 2**21, 2**30, 0.5, 2.0, budget, "cpu", "32-true", 2)
    assert seen.total_s == 60
    assert seen.lines() == [
        "a: 1,234 parameters",
        "batch: x 2x3",
        "memory: weights 1.0 MiB, gradients 0.0 MiB, optimiser states 0.0 MiB, activations of a step 2.0 MiB",
        "computing in float32 on cpu, 2 threads",
        "peak: 1024 MiB",
        "time: 0.5 s a step, 2 s a validation",
        "in all: 1 min 0 s for 100 steps",
    ]
    assert found().step_s > 0
    assert found().validation_s > 0


def test_nothing_stays_on_disk_and_training_goes_on_as_before(tmp_path, monkeypatch):
    """The folder that was estimated in is gone, also when the call fails."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert found() is not None
    with pytest.raises(OSError, match="no data"):
        estimate(lambda folder: run(folder, batches=_no_data))
    assert list(tmp_path.iterdir()) == []
    assert run(tmp_path / "real").steps == 40


def test_a_call_that_trains_no_network_has_no_estimate():
    """None, rather than zeros."""
    assert estimate(lambda folder: None) is None


def test_a_step_that_is_not_finite_is_measured_all_the_same():
    """A bad batch does not end the estimate."""
    data = {"images": torch.full((2, WIDTH), torch.nan)}
    assert estimate(lambda folder: run(folder, recipe=recipe(), batches=lambda step: data, validate=None)).step_s > 0


def _no_data(step):
    raise OSError("no data")
