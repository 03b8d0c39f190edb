"""Tests of `data.augment`: what moves together, what stays 0, what a step decides."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from glioforge.data.augment import augment_batch
from glioforge.data.augment_spec import Amount, AugmentSpec

OFF = Amount(chance=0, low=0, high=0)
SPACE = ("rotate", "scale", "shift", "elastic")
INTENSITY = ("brightness", "contrast", "gamma", "bias", "noise", "blur", "coarsen")
STILL = AugmentSpec(flip_x=0, **dict.fromkeys((*SPACE, *INTENSITY), OFF))


def always(name, low=None, high=None):
    """Settings that apply one change to every sample, by its usual range or a given one."""
    usual = getattr(AugmentSpec(), name)
    amount = Amount(chance=1, low=usual.low if low is None else low, high=usual.high if high is None else high)
    return STILL.model_copy(update={name: amount})


def batch_of(grid=(24, 20), count=3, seed=0):
    """Noisy slices with a brain in the middle and labels 1-6 in it."""
    rng = np.random.default_rng(seed)
    brain = np.zeros((count, *grid), dtype=bool)
    brain[:, 5:-5, 4:-4] = True
    labels = rng.integers(1, 7, brain.shape) * brain
    images = rng.normal(size=(count, 2, *grid)).astype(np.float32).clip(-5, 5) * brain[:, None]
    arrays = {"images": images, "labels": labels, "brain": brain, "case": np.arange(count)}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def equal(one, other):
    """Whether two batches hold the same bytes."""
    return all(torch.equal(one[name], other[name]) for name in one)


def test_nothing_drawn_changes_nothing():
    """With every chance 0 the batch comes back as it was."""
    batch = batch_of()
    found = augment_batch(batch, STILL, seed=1, step=0)
    assert torch.allclose(found["images"], batch["images"], atol=1e-5)
    assert equal({k: found[k] for k in ("labels", "brain", "case")}, {k: batch[k] for k in ("labels", "brain", "case")})


def test_a_step_gives_the_same_bytes_and_another_gives_others():
    """A pure function of batch, seed and step."""
    batch = batch_of()
    first = augment_batch(batch, AugmentSpec(), seed=1, step=7)
    augment_batch(batch, AugmentSpec(), seed=1, step=8)
    assert equal(first, augment_batch(batch, AugmentSpec(), seed=1, step=7))
    assert not equal(first, augment_batch(batch, AugmentSpec(), seed=1, step=8))
    assert not equal(first, augment_batch(batch, AugmentSpec(), seed=2, step=7))


def test_the_batch_given_is_left_alone():
    """Cached slices must not be written to."""
    batch = batch_of()
    before = {name: value.clone() for name, value in batch.items()}
    augment_batch(batch, AugmentSpec(), seed=1, step=3)
    assert equal(batch, before)


@pytest.mark.parametrize("step", range(6))
def test_background_stays_zero_and_labels_stay_labels(step):
    """Outside the new brain images and labels are exactly 0; inside no label is 0 or new; intensities are clipped."""
    found = augment_batch(batch_of(), AugmentSpec(), seed=5, step=step)
    outside = ~found["brain"]
    assert (found["images"].movedim(1, -1)[outside] == 0).all()
    assert (found["labels"][outside] == 0).all()
    assert set(found["labels"][found["brain"]].unique().tolist()) <= set(range(1, 7))
    assert found["images"].abs().max() <= 5
    assert found["images"].dtype == torch.float32
    assert found["labels"].dtype == torch.int64


def test_what_the_batch_holds_besides_is_passed_on():
    """Case numbers and the like belong to the samples, which keep their order."""
    batch = batch_of()
    assert torch.equal(augment_batch(batch, AugmentSpec(), seed=1, step=0)["case"], batch["case"])


def test_a_flip_is_exact():
    """Flipping always along x equals torch's flip of images, labels and brain."""
    batch = batch_of()
    found = augment_batch(batch, STILL.model_copy(update={"flip_x": 1.0}), seed=1, step=0)
    assert torch.allclose(found["images"], batch["images"].flip(2), atol=1e-5)
    assert torch.equal(found["labels"], batch["labels"].flip(1))
    assert torch.equal(found["brain"], batch["brain"].flip(1))


@pytest.mark.parametrize("name", SPACE)
def test_images_and_labels_move_together(name):
    """An image that shows its labels still shows them after every spatial change, except at edges between labels."""
    batch = batch_of((48, 48), count=4)
    block = torch.zeros(48, 48, dtype=torch.int64)
    block[12:26, 14:36], block[26:38, 14:36] = 2, 4
    batch["labels"] = block.expand(4, -1, -1).clone()
    batch["brain"] = batch["labels"] > 0
    batch["images"] = batch["labels"][:, None].float().expand(-1, 2, -1, -1).clone()
    found = augment_batch(batch, always(name), seed=3, step=0)
    assert not torch.equal(found["labels"], batch["labels"])
    agree = (found["images"][:, 0] - found["labels"]).abs() < 0.3
    assert agree.float().mean() > 0.93


def test_a_rotation_turns_by_its_angle():
    """Ninety degrees take the first axis to the second."""
    batch = batch_of((21, 21))
    found = augment_batch(batch, always("rotate", 90, 90), seed=1, step=0)
    turned = [torch.rot90(batch["labels"], times, (1, 2)) for times in (1, 3)]
    assert any((found["labels"] == expected).float().mean() > 0.98 for expected in turned)


def test_growing_grows_the_brain():
    """A factor of 1.5 along each axis gives 2.25 times the area."""
    batch = batch_of((60, 60))
    batch["brain"] = torch.zeros(3, 60, 60, dtype=torch.bool)
    batch["brain"][:, 20:40, 20:40] = True
    found = augment_batch(batch, always("scale", 1.5, 1.5), seed=1, step=0)
    assert found["brain"].sum().item() == pytest.approx(2.25 * batch["brain"].sum().item(), rel=0.06)


@pytest.mark.parametrize("name", INTENSITY)
def test_each_change_of_intensity_changes_images_and_nothing_else(name):
    """Labels and brain stay; images differ inside the brain."""
    batch = batch_of()
    found = augment_batch(batch, always(name), seed=1, step=0)
    assert torch.equal(found["labels"], batch["labels"])
    assert torch.equal(found["brain"], batch["brain"])
    assert (found["images"] - batch["images"]).abs().movedim(1, -1)[batch["brain"]].max() > 0.01


def test_brightness_adds_and_contrast_multiplies():
    """Amounts with hand answers inside the brain."""
    batch = batch_of()
    inside = batch["brain"][:, None].expand_as(batch["images"])
    brighter = augment_batch(batch, always("brightness", 0.25, 0.25), seed=1, step=0)["images"]
    stronger = augment_batch(batch, always("contrast", 0.5, 0.5), seed=1, step=0)["images"]
    assert torch.allclose(brighter[inside], batch["images"][inside] + 0.25, atol=1e-5)
    assert torch.allclose(stronger[inside], batch["images"][inside] * 0.5, atol=1e-5)


def test_gamma_keeps_mean_and_spread_and_the_order_of_intensities():
    """Only the shape of the distribution changes."""
    batch = batch_of(count=1)
    found = augment_batch(batch, always("gamma", 1.5, 1.5), seed=1, step=0)["images"][0, 0][batch["brain"][0]]
    before = batch["images"][0, 0][batch["brain"][0]]
    assert found.mean().item() == pytest.approx(before.mean().item(), abs=1e-3)
    assert found.std().item() == pytest.approx(before.std().item(), abs=1e-2)
    assert torch.equal(found[before.argsort()], found.sort().values)


def test_noise_has_the_spread_asked_for():
    """Standard deviation 0.5 within a few per cent."""
    batch = batch_of((64, 64))
    batch["images"] = torch.zeros_like(batch["images"])
    found = augment_batch(batch, always("noise", 0.5, 0.5), seed=1, step=0)["images"]
    assert found.movedim(1, -1)[batch["brain"]].std() == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize("name", ["blur", "coarsen"])
def test_blurring_smooths(name):
    """Neighbouring voxels come closer to each other."""
    batch = batch_of((40, 40))
    found = augment_batch(batch, always(name, 1.0, 2.0), seed=1, step=0)["images"]
    assert found.diff(dim=2).abs().mean() < 0.9 * batch["images"].diff(dim=2).abs().mean()


def test_samples_are_changed_each_by_itself():
    """The chance holds for each sample: about half of many flips."""
    batch = batch_of((10, 10), count=200)
    batch["labels"] = torch.zeros(200, 10, 10, dtype=torch.int64)
    batch["labels"][:, 2, 5] = 1
    found = augment_batch(batch, STILL.model_copy(update={"flip_x": 0.5}), seed=1, step=0)
    assert 0.35 < (found["labels"][:, 7, 5] == 1).float().mean() < 0.65


def test_volumes_are_augmented_like_slices():
    """Five axes in, five axes out, with the same promises."""
    batch = batch_of((12, 14, 13), count=2)
    batch["brain"][..., :3] = False
    batch["labels"] *= batch["brain"]
    spec = AugmentSpec(**{name: always(name).__dict__[name] for name in (*SPACE, *INTENSITY)})
    found = augment_batch(batch, spec, seed=1, step=0)
    assert found["images"].shape == batch["images"].shape
    assert (found["images"].movedim(1, -1)[~found["brain"]] == 0).all()
    assert torch.isfinite(found["images"]).all()


def test_no_samples_come_back_as_they_are():
    """An empty batch is no error."""
    batch = {name: value[:0] for name, value in batch_of().items()}
    assert equal(augment_batch(batch, AugmentSpec(), seed=1, step=0), batch)


def test_a_range_the_wrong_way_round_is_refused():
    """Low must not exceed high."""
    with pytest.raises(ValidationError, match="low 2.0 is above high 1.0"):
        Amount(chance=0.5, low=2, high=1)
