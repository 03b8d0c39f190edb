"""Tests of `metrics.similarity`: identities, hand answers, masks, known distances of patches, empty cases."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.ndimage import gaussian_filter

from glioforge.core.errors import CaseError, GeometryError
from glioforge.metrics import similarity
from glioforge.metrics.base import ImagePair
from glioforge.metrics.similarity import PATCHES, SIMILARITY, compare_images, psnr_of, sliced_wasserstein


def random_pair(seed, noise=0.3, data_range=10.0):
    """A smooth image, a noisy copy and a random mask."""
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(13, 12, 11)).astype(np.float32)
    image = (reference + noise * rng.normal(size=reference.shape)).astype(np.float32)
    mask = rng.random(reference.shape) < 0.6
    return ImagePair(image, reference, mask, data_range)


@given(st.integers(0, 2**31))
def test_mae_is_at_most_rmse_whose_square_is_mse(seed):
    """The identities that published tables break."""
    pair = random_pair(seed)
    assert similarity.mae(pair) <= similarity.rmse(pair) + 1e-9
    assert similarity.rmse(pair) ** 2 == pytest.approx(similarity.mse(pair))


@given(st.integers(0, 2**31))
def test_psnr_follows_from_mse_and_range(seed):
    """PSNR = 10 log10(range² / MSE)."""
    pair = random_pair(seed)
    assert similarity.psnr(pair) == pytest.approx(10 * np.log10(100 / similarity.mse(pair)))


def test_psnr_of_a_published_error():
    """MSE 19.246 at a range of 255 is 35.29 dB, not the 43.07 dB printed beside it, which needs MSE 3.21."""
    assert psnr_of(19.246, 255.0) == pytest.approx(35.29, abs=0.005)
    assert psnr_of(3.21, 255.0) == pytest.approx(43.07, abs=0.005)


def test_equal_images_have_a_finite_psnr():
    """The formula's infinity is capped, so that a mean over cases stays a number."""
    assert psnr_of(0.0, 255.0) == psnr_of(1e-20, 255.0) == 100


def test_a_constant_offset_has_hand_answers():
    """Offset 2 inside the mask: MSE 4, MAE 2, RMSE 2."""
    reference = np.zeros((4, 4, 4), dtype=np.float32)
    pair = ImagePair(reference + 2, reference, np.ones((4, 4, 4), dtype=bool), 10.0)
    assert [similarity.mse(pair), similarity.mae(pair), similarity.rmse(pair)] == [4, 2, 2]


@pytest.mark.parametrize("metric", SIMILARITY, ids=lambda m: m.name)
def test_voxels_outside_the_mask_do_not_count(metric):
    """Beyond the window's reach, what lies outside the mask changes nothing."""
    pair = random_pair(3)
    mask = np.zeros_like(pair.mask)
    mask[:4, :4, :4] = True
    spoilt = pair.image.copy()
    spoilt[10:, 10:, 10:] = 99
    before = metric.function(ImagePair(pair.image, pair.reference, mask, 10.0))
    assert metric.function(ImagePair(spoilt, pair.reference, mask, 10.0)) == before


@pytest.mark.parametrize("metric", [similarity.ssim, similarity.ssim_slices])
def test_ssim_is_one_for_equal_images_symmetric_and_falls_with_noise(metric):
    """Three properties of the index."""
    pair = random_pair(5)
    same = ImagePair(pair.reference, pair.reference, pair.mask, 10.0)
    turned = ImagePair(pair.reference, pair.image, pair.mask, 10.0)
    assert metric(same) == pytest.approx(1)
    assert metric(turned) == pytest.approx(metric(pair))
    assert metric(random_pair(5, noise=1.0)) < metric(pair) < 1


def test_ssim_by_slices_ignores_the_order_of_the_slices():
    """Its window lies in the axial plane, so shuffling slices of both images changes nothing."""
    pair = random_pair(8)
    order = np.random.default_rng(0).permutation(pair.image.shape[2])
    shuffled = ImagePair(pair.image[..., order], pair.reference[..., order], pair.mask[..., order], 10.0)
    assert similarity.ssim_slices(shuffled) == pytest.approx(similarity.ssim_slices(pair))
    assert similarity.ssim(shuffled) != pytest.approx(similarity.ssim(pair))


def test_comparing_gives_a_row_a_metric_the_same_as_on_the_whole_image():
    """Cutting to the mask saves time and changes no number."""
    pair = random_pair(2)
    mask = np.zeros_like(pair.mask)
    mask[2:5, 3:6, 1:4] = True
    rows = compare_images(pair.image, pair.reference, mask, data_range=10.0, region="lesion")
    whole = ImagePair(pair.image, pair.reference, mask, 10.0)
    assert [row.metric for row in rows] == [metric.name for metric in SIMILARITY]
    assert {row.region for row in rows} == {"lesion"}
    assert [row.value for row in rows] == pytest.approx([metric.function(whole) for metric in SIMILARITY])


def test_comparing_some_metrics_only():
    """The caller may choose."""
    pair = random_pair(2)
    rows = compare_images(pair.image, pair.reference, pair.mask, data_range=10.0, metrics=SIMILARITY[2:3])
    assert [row.metric for row in rows] == ["psnr"]


def test_comparing_refuses_what_cannot_be_compared():
    """Empty masks and differing shapes have their messages."""
    image = np.zeros((3, 3, 3), dtype=np.float32)
    with pytest.raises(CaseError, match="an empty mask"):
        compare_images(image, image, np.zeros((3, 3, 3), dtype=bool), data_range=1.0)
    with pytest.raises(GeometryError, match="one shape"):
        compare_images(image, image[:2], np.ones((3, 3, 3), dtype=bool), data_range=1.0)


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
