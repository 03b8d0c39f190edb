"""Tests of `metrics.similarity`: identities, hand answers, masks."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import CaseError, GeometryError
from glioforge.metrics import similarity
from glioforge.metrics.base import ImagePair
from glioforge.metrics.similarity import SIMILARITY, compare_images, psnr_of


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
