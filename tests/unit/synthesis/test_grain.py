"""Promises of the grain measured on training scans, and of the smoothing across slices."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from glioforge.metrics.texture import gradient_ratio
from glioforge.synthesis.grain import (
    WIDTHS,
    Example,
    fine_variance,
    measure_grain,
    measure_widths,
    smooth_across,
    within_classes,
)


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


SHAPE = (28, 26, 24)


def head():
    """A ball of two classes."""
    i, j, k = np.indices(SHAPE)
    distance = ((i - 13.5) / 12) ** 2 + ((j - 12.5) / 11) ** 2 + ((k - 11.5) / 10) ** 2
    return (distance < 1).astype(np.uint8) + (distance < 0.4)


def textures(seed=0):
    """Isotropic texture in which classes differ, and the same with an offset of its own in each axial slice."""
    rng, classes = np.random.default_rng(seed), head()
    texture = gaussian_filter(rng.standard_normal(SHAPE), 1).astype(np.float32)
    even = np.where(classes > 0, 3 * classes + 2 * texture, 0).astype(np.float32)
    jumps = np.where(classes > 0, 0.3 * rng.standard_normal(SHAPE[2]), 0).astype(np.float32)
    return even[None], (even + jumps)[None], classes


def test_offsets_of_slices_are_evened_out_and_the_rest_is_kept():
    """Roughness falls towards that of the even volume; within slices and across class borders nothing is lost."""
    even, streaked, classes = textures()
    inside = classes > 0

    smoothed = smooth_across(streaked, classes, [1.0], 2)

    before, after, ideal = (gradient_ratio(v[0], inside) for v in (streaked, smoothed, even))
    assert after - ideal < 0.4 * (before - ideal)
    within = [np.abs(np.diff(v[0], axis=0))[inside[1:] & inside[:-1]].mean() for v in (streaked, smoothed)]
    assert within[1] == pytest.approx(within[0], rel=0.03)
    assert np.abs(smoothed - even)[0, inside].mean() < 0.9 * np.abs(streaked - even)[0, inside].mean()
    assert not smoothed[0, ~inside].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_axis_is_treated_alike(axis):
    """Turning the grid turns the outcome."""
    _, streaked, classes = textures()
    turned = smooth_across(np.moveaxis(streaked, 3, axis + 1), np.moveaxis(classes, 2, axis), [0.75], axis)
    assert np.moveaxis(turned, axis + 1, 3) == pytest.approx(smooth_across(streaked, classes, [0.75], 2), abs=1e-5)


def test_width_zero_changes_no_byte():
    """A contrast without smoothing is left as it is."""
    _, streaked, classes = textures()
    assert (smooth_across(streaked, classes, [0.0], 2) == streaked).all()


def test_width_is_the_smallest_that_makes_slices_as_even_as_the_scans():
    """0 where the generator is even already or the contrast is missing; the largest where none suffices."""
    even, streaked, classes = textures()
    wild = streaked + np.where(classes > 0, 20.0 * np.random.default_rng(2).standard_normal(SHAPE[2]), 0).astype(
        np.float32
    )
    missing = np.full_like(even, np.nan)
    example = Example(
        np.concatenate([even, streaked, wild, even]),
        np.concatenate([even, smooth_across(streaked, classes, [0.5], 2), even, missing]),
        classes,
        classes == 2,
    )

    widths = measure_widths([example], 2, 4)

    assert widths[0] == 0
    assert widths[1] == 0.5
    assert widths[2] == WIDTHS[-1]
    assert widths[3] == 0
