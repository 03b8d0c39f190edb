"""Tests of `metrics.similarity`: known distances, what it sees and what it leaves alone, empty cases."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from glioforge.metrics.base import ImagePair
from glioforge.metrics.similarity import PATCHES, compare_images, sliced_wasserstein

SHAPE = (40, 36, 6)


def scan(seed=0):
    """Structure and grain."""
    rng = np.random.default_rng(seed)
    structure = gaussian_filter(rng.standard_normal(SHAPE), 2) * 8
    return (structure + 0.3 * rng.standard_normal(SHAPE)).astype(np.float32)


def inside():
    """A disc in every slice."""
    i, j, _ = np.indices(SHAPE)
    return ((i - 19.5) / 19) ** 2 + ((j - 17.5) / 17) ** 2 < 1


def distance(made, real, mask=None):
    """Distance inside the disc."""
    return sliced_wasserstein(ImagePair(made, real, inside() if mask is None else mask, 10.0))


def test_equal_images_have_no_distance_and_the_outside_does_not_count():
    """Whatever lies outside the mask changes nothing."""
    real = scan()
    assert distance(np.where(inside(), real, np.float32(50)), real) == 0


def test_a_blurred_image_is_far_and_another_with_the_same_texture_is_near():
    """The opposite of what voxel-wise likeness says of the same three images."""
    real, other, blurred = scan(), scan(1), gaussian_filter(scan(), (1.5, 1.5, 0)).astype(np.float32)

    assert distance(other, real) < 0.3 * distance(blurred, real)

    def absolute(image):
        return next(s.value for s in compare_images(image, real, inside(), data_range=10.0) if s.metric == "mae")

    assert absolute(blurred) < absolute(other)


def test_too_much_grain_counts_as_too_little_does():
    """Both are further away than the right amount."""
    real = scan()
    rng = np.random.default_rng(5)
    noisy = real + rng.standard_normal(SHAPE).astype(np.float32)
    assert distance(noisy, real) > 5 * distance(scan(2), real)


def test_half_the_strength_has_the_distance_of_two_normal_distributions():
    """Projections of patches of white noise are normal: half of them lies 0.5 sqrt(2 / pi) away."""
    real = np.random.default_rng(0).standard_normal((64, 64, 8)).astype(np.float32)
    mask = np.ones(real.shape, dtype=bool)
    assert distance(real / 2, real, mask) == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.1)


def test_brightness_is_left_to_other_metrics():
    """A constant on top changes only the patches at the mask's edge."""
    real = scan()
    brighter = real + np.float32(0.5)
    assert distance(brighter, real) < 0.5 * distance(gaussian_filter(real, (1, 1, 0)), real)


def test_no_whole_patch_gives_no_distance_and_flat_images_none_either():
    """Masks too thin for a patch, and images without any difference."""
    thin = np.zeros(SHAPE, dtype=bool)
    thin[:, 10:14] = True
    flat = np.zeros(SHAPE, np.float32)

    assert distance(scan(), scan(1), thin) == 0
    assert distance(flat, flat) == 0


def test_it_is_listed_once_with_its_name():
    """Reports find it by `swd`."""
    assert [metric.name for metric in PATCHES] == ["swd"]
