"""Tests of `metrics.texture` and `metrics.texture`: known amounts, masks, empty cases."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from glioforge.core.errors import CaseError, GeometryError
from glioforge.metrics.base import Direction, ImagePair
from glioforge.metrics.texture import (
    DIVERSITY,
    STREAKS,
    TEXTURE,
    Draws,
    diversity,
    gradient_ratio,
    grain_ratio,
    spectrum_distance,
    streaks,
    through_plane,
    through_plane_ratio,
)

SHAPE = (20, 18, 16)


def noise(seed=0):
    """White noise."""
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def ball():
    """A mask that leaves the borders out."""
    i, j, k = np.indices(SHAPE)
    return ((i - 9.5) / 9) ** 2 + ((j - 8.5) / 8) ** 2 + ((k - 7.5) / 7) ** 2 < 1


def pair_of(image, reference):
    """Pair inside the ball."""
    return ImagePair(image, reference, ball(), 10.0)


@pytest.mark.parametrize("metric", TEXTURE, ids=lambda m: m.name)
def test_equal_images_are_ideal_and_the_outside_does_not_count(metric):
    """Whatever lies outside the mask changes nothing."""
    real = noise()
    elsewhere = np.where(ball(), real, np.float32(100))

    value = metric.function(pair_of(elsewhere, real))

    assert value == pytest.approx(1.0 if metric.direction is Direction.ONE else 0.0, abs=1e-5)
    assert metric.title


@pytest.mark.parametrize("metric", TEXTURE, ids=lambda m: m.name)
def test_flat_images_have_ideal_values_of_each_other(metric):
    """No step, no grain, no band: nothing differs."""
    flat = np.zeros(SHAPE, np.float32)

    assert metric.function(pair_of(flat, flat)) == (1.0 if metric.direction is Direction.ONE else 0.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_images_that_do_not_fit_together_across_slices_are_told_along_that_axis(axis):
    """A smooth image and one with a new brightness in each slice along one axis."""
    smooth = gaussian_filter(noise(), 2)
    shape = [1, 1, 1]
    shape[axis] = SHAPE[axis]
    jumps = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    values = [through_plane(a).function(pair_of(smooth + jumps, smooth)) for a in range(3)]

    assert values[axis] > 2
    assert [v for a, v in enumerate(values) if a != axis] == pytest.approx([1, 1], abs=0.01)


def test_a_blurred_image_has_too_little_step_and_grain_and_another_spectrum():
    """What likeness voxel by voxel would reward."""
    real = noise()
    pair = pair_of(gaussian_filter(real, 1.5), real)

    assert through_plane_ratio(pair) < 0.3
    assert grain_ratio(pair) < 0.1
    assert spectrum_distance(pair) > 1


def test_twice_the_noise_is_one_octave():
    """All bands are twice as strong."""
    pair = pair_of(2 * noise(1), noise(0))

    assert grain_ratio(pair) == pytest.approx(2, rel=0.1)
    assert spectrum_distance(pair) == pytest.approx(1, abs=0.15)


def test_draws_that_differ_by_grain_alone_are_told_from_those_that_differ_in_brightness():
    """1.13 standard deviations of grain, most of which a blur takes away."""
    grain, coarse = (metric.function for metric in DIVERSITY)
    grainy = Draws(np.stack([noise(seed) for seed in range(3)]), ball())
    bright = Draws(np.stack([np.full(SHAPE, value, np.float32) for value in (0.0, 1.0)]), ball())

    assert grain(grainy) == pytest.approx(2 / np.sqrt(np.pi), rel=0.05)
    assert coarse(grainy) < 0.2 * grain(grainy)
    assert (grain(bright), coarse(bright)) == pytest.approx((1.0, 1.0))


def test_one_draw_has_no_diversity():
    """There is no pair."""
    assert diversity(Draws(noise()[None], ball())) == 0.0


def test_draws_outside_a_grid_or_without_a_mask_are_refused():
    """The messages say what was expected."""
    with pytest.raises(GeometryError, match=r"draws of shape \(20, 18, 16\).*expected shape \(2, 2, 2\), the mask's"):
        Draws(noise()[None], np.ones((2, 2, 2), dtype=bool))
    with pytest.raises(CaseError, match="an empty mask to compare draws in"):
        Draws(noise()[None], np.zeros(SHAPE, dtype=bool))


def test_gradient_ratio_finds_slices_that_were_synthesized_one_by_one():
    """About 1 for isotropic noise, far more where each slice has its own brightness."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(20, 20, 20)).astype(np.float32)
    brain = np.ones(noise.shape, dtype=bool)
    assert gradient_ratio(noise, brain) == pytest.approx(1, abs=0.05)
    assert gradient_ratio(noise * 0.1 + rng.normal(size=20).astype(np.float32), brain) > 5


def test_gradient_ratio_looks_inside_the_mask_only():
    """Steps at the edge of the brain do not count; nothing to compare gives 1."""
    image = np.zeros((6, 6, 6), dtype=np.float32)
    image[..., 3:] = 50
    brain = np.zeros(image.shape, dtype=bool)
    brain[..., :3] = True
    image[0, 0, 0] = 1
    assert gradient_ratio(image, brain) == pytest.approx(2 * (1 / 72) / (1 / 90 + 1 / 90), rel=0.3)
    assert gradient_ratio(np.zeros_like(image), brain) == 1
    assert gradient_ratio(image, np.zeros_like(brain)) == 1
    assert np.isnan(gradient_ratio(np.full_like(image, np.nan), brain)), "a contrast that is not there"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_streaks_are_those_across_the_axis_that_was_cut(axis):
    """The synthetic image and the scan have ratios of their own; an even scan has 1."""
    streaked = noise() + 4 * np.random.default_rng(1).normal(size=SHAPE[2]).astype(np.float32)
    image = np.ascontiguousarray(np.moveaxis(streaked, 2, axis))
    pair = ImagePair(image, np.ones_like(image), np.ones(image.shape, dtype=bool), 10.0)
    made, scan = (metric.function(pair) for metric in streaks(axis))
    other, _ = (metric.function(pair) for metric in streaks((axis + 1) % 3))
    assert made > 2.5
    assert scan == 1
    assert other < 1
    assert [metric.name for metric in STREAKS] == ["gradient_ratio", "gradient_ratio_scan"]
