"""Promises of the grain measured on training scans."""

import numpy as np
import pytest
import torch

from glioforge.synthesis.grain import fine_energy, measure_grain


def noisy(step, deviation=0.4):
    """Smooth images with white noise, twice as strong in case 1."""
    generator = torch.Generator().manual_seed(step)
    case = torch.tensor([0, 1, 0, 1])
    x = torch.linspace(-1, 1, 24).expand(24, 24)
    noise = torch.randn((4, 2, 24, 24), generator=generator) * deviation * (1 + case.float()).view(-1, 1, 1, 1)
    brain = torch.zeros(4, 24, 24, dtype=torch.bool)
    brain[:, 3:-3, 3:-3] = True
    return {"images": x + noise, "clean": x.expand(4, 2, 24, 24), "brain": brain, "case": case}


def test_missing_noise_is_found_for_each_case_and_the_mean_where_none_was_seen():
    """Images without the noise lack exactly its deviation."""
    grain = measure_grain(noisy, lambda batch: batch["clean"], cases=3, steps=6)
    expected = np.array([0.4, 0.8, (0.5 * (0.16 + 0.64)) ** 0.5])
    assert np.abs(grain.numpy() - expected[:, None]).max() < 0.03


def test_images_as_grainy_as_the_scans_need_none():
    """Nothing is added to what is noisy already, nor taken away from what is noisier."""
    assert float(measure_grain(noisy, lambda batch: batch["images"], cases=2, steps=2).max()) == 0
    assert float(measure_grain(noisy, lambda batch: 3 * batch["images"], cases=2, steps=2).max()) == 0


def test_fine_energy_ignores_slopes_and_what_lies_outside():
    """A ramp has none; a point outside the mask counts for nothing."""
    batch = noisy(0)
    assert float(fine_energy(batch["clean"], batch["brain"]).max()) == pytest.approx(0, abs=1e-6)
    outside = batch["clean"].clone()
    outside[..., 0, 0] = 1e3
    torch.testing.assert_close(fine_energy(outside, batch["brain"]), fine_energy(batch["clean"], batch["brain"]))
