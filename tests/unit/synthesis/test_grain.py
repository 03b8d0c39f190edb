"""Promises of the grain measured on training scans."""

import numpy as np
import pytest
import torch

from glioforge.synthesis.grain import fine_variance, measure_grain, within_classes


def noisy(step, deviation=0.4):
    """Smooth images with white noise, twice as strong in case 1."""
    generator = torch.Generator().manual_seed(step)
    case = torch.tensor([0, 1, 0, 1])
    x = torch.linspace(-1, 1, 24).expand(24, 24)
    noise = torch.randn((4, 2, 24, 24), generator=generator) * deviation * (1 + case.float()).view(-1, 1, 1, 1)
    brain = torch.zeros(4, 24, 24, dtype=torch.bool)
    brain[:, 3:-3, 3:-3] = True
    labels = torch.full((4, 3, 24, 24), 4)
    return {"images": x + noise, "clean": x.expand(4, 2, 24, 24), "brain": brain, "case": case, "labels": labels}


def test_missing_noise_is_found_for_each_case_and_the_mean_where_none_was_seen():
    """Images without the noise lack exactly its deviation."""
    grain = measure_grain(noisy, lambda batch: batch["clean"], cases=3, steps=6)
    expected = np.array([0.4, 0.8, (0.5 * (0.16 + 0.64)) ** 0.5])
    assert np.abs(grain.numpy() - expected[:, None]).max() < 0.06


def test_images_as_grainy_as_the_scans_need_none():
    """Nothing is added to what is noisy already, nor taken away from what is noisier."""
    assert float(measure_grain(noisy, lambda batch: batch["images"], cases=2, steps=2).max()) == 0
    assert float(measure_grain(noisy, lambda batch: 3 * batch["images"], cases=2, steps=2).max()) == 0


def test_fine_variance_ignores_slopes_single_voxels_and_what_lies_outside():
    """A ramp has none; neither a bright vessel nor a point outside counts."""
    batch = noisy(0)
    assert float(fine_variance(batch["clean"], batch["brain"]).max()) == pytest.approx(0, abs=1e-6)
    outside = batch["clean"].clone()
    outside[..., 0, 0] = outside[..., 12, 12] = 1e3
    torch.testing.assert_close(fine_variance(outside, batch["brain"]), fine_variance(batch["clean"], batch["brain"]))
    assert not fine_variance(outside, torch.zeros_like(batch["brain"])).any()


def test_only_voxels_well_inside_a_class_are_looked_at():
    """Two voxels on each side of a border are left out; where nothing is left there is no grain."""
    labels = torch.full((1, 9, 12), 4)
    labels[:, :, 6:] = 5
    assert within_classes(labels)[0, 4].tolist() == [True] * 4 + [False] * 4 + [True] * 4

    def mixed(step):
        batch = noisy(step)
        return {**batch, "labels": torch.randint(1, 7, batch["labels"].shape)}

    assert float(measure_grain(mixed, lambda batch: batch["clean"], cases=2, steps=2).max()) == 0
