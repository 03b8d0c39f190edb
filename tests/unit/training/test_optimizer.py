"""Promises of the learning-rate schedule of pix2pix and its heirs."""

import pytest

from glioforge.training.optimizer import OptimizerSpec, rate_factor


def test_constant_linear_stays_for_half_and_falls_to_0():
    """Full rate up to the middle, half of it at three quarters, nothing at the end and after it."""
    spec = OptimizerSpec(schedule="constant_linear")
    factors = [rate_factor(spec, step, 500) for step in (0, 249, 250, 375, 500, 600)]
    assert factors == pytest.approx([1, 1, 1, 0.5, 0, 0])
