"""Promises of conditions that show labels as partial volumes."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.rng import stream
from glioforge.core.volume import Modality
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from glioforge.synthesis.condition import Condition, one_hot, softened
from glioforge.synthesis.slices import FramedSlices, make_volume
from toy_cohort import toy_case, toy_cohort, toy_labels

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
TINY = {"kind": "regression", "widths": (2, 4), "batch_size": 2, "budget": {"steps": 2, "checkpoint_every": 2}}
BELOW = np.exp(-2.0)  # weight of the next voxel for a width of half a voxel, over that of the voxel itself


def random_labels(*shape, seed=0):
    """Classes 0 to 6."""
    return torch.randint(0, 7, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("grid", [(9, 8), (6, 5, 7)])
def test_shares_sum_to_one_everywhere_and_in_every_plane(grid):
    """Edges included; none is negative."""
    planes = 3 if len(grid) == 2 else 1
    shares = Condition(7, 1, planes=planes, soft=0.7).shares(random_labels(2, planes, *grid))
    assert shares.shape == (2, planes * 7, *grid)
    assert shares.min() >= 0
    torch.testing.assert_close(shares.unflatten(1, (planes, 7)).sum(dim=2), torch.ones(2, planes, *grid))


def test_a_width_of_zero_shows_whole_labels():
    """The channels are the one-hot ones themselves, bit by bit, and so is the painted map."""
    labels, means = random_labels(2, 3, 6, 5), torch.randn(2, 7, 1)
    whole, soft = Condition(7, 1, planes=3, style=True), Condition(7, 1, planes=3, style=True, soft=0.4)
    assert torch.equal(whole.shares(labels), one_hot(labels, 7))
    assert not torch.equal(soft.shares(labels), one_hot(labels, 7))
    painted = whole.painted(means, labels)
    assert torch.equal(painted[1, 0], means[1, :, 0][labels[1, 1]])


def test_a_border_has_the_shares_worked_out_by_hand():
    """A line of two classes: half a voxel wide, the first voxel beyond keeps 1 / (1 + 2 e^-2 + ...) of its own."""
    line = torch.tensor([[[[0, 0, 0, 1, 1, 1]]]])
    total = 1 + 2 * (BELOW + BELOW**4)
    beyond = (BELOW + BELOW**4) / total
    shares = Condition(2, 1, soft=0.5).shares(line)[0, 1, 0]
    expected = [0, BELOW**4 / total, beyond, 1 - beyond, 1 - BELOW**4 / total, 1]
    torch.testing.assert_close(shares, torch.tensor(expected, dtype=torch.float32))


def test_the_painted_map_mixes_the_means_by_the_shares():
    """Blurring the painted map is the same as painting with shares; the critic sees the shares of the middle plane."""
    labels, means = random_labels(2, 3, 6, 5), torch.randn(2, 7, 2)
    soft = Condition(7, 2, planes=3, style=True, soft=0.6)
    shares = soft.middle(labels)
    assert torch.equal(shares, soft.shares(labels)[:, 7:14])
    torch.testing.assert_close(soft.painted(means, labels), torch.einsum("bkxy,bkc->bcxy", shares, means))
    shown = soft(labels, torch.ones(2, 5), soft.painted(means, labels))
    assert shown.shape == (2, soft.channels, 6, 5)


def test_groups_share_what_their_classes_do():
    """Shares of a group are the sum of those of its classes."""
    labels = random_labels(1, 1, 6, 5)
    grouped = Condition(7, 1, groups=(0, 1, 1, 1, 2, 2, 2), soft=0.5).shares(labels)
    shares = Condition(7, 1, soft=0.5).shares(labels)
    torch.testing.assert_close(grouped[:, 1], shares[:, 1:4].sum(dim=1))


def test_the_same_labels_give_the_same_shares_and_a_mirrored_map_mirrored_ones():
    """Nothing is drawn, and left and right are treated alike."""
    channels = one_hot(random_labels(1, 1, 8, 7), 7)
    assert torch.equal(softened(channels, 0.5), softened(channels, 0.5))
    torch.testing.assert_close(softened(channels.flip(2), 0.5), softened(channels, 0.5).flip(2))


def test_training_and_inference_see_the_same_channels():
    """Each slice of a training batch has the channels that the slice has when a volume is made of it."""
    condition = Condition(7, 1, planes=3, soft=0.5)
    batch = FramedSlices(toy_cohort([1]), (Modality.T1,), batch_size=3, context=1, size=None, seed=2).batch(0)
    seen = []

    def make(inputs):
        labels = inputs[0]
        seen.extend(condition.shares(labels))
        return torch.zeros((len(labels), 1, *labels.shape[2:]))

    labels = toy_labels(1)
    noise = np.zeros((1, *labels.voxels.shape), np.float32)
    make_volume(make, labels, torch.zeros(7, 1), noise, contrasts=1, context=1, batch_size=4)
    for shares in condition.shares(batch["labels"]):
        assert any(torch.equal(shares, other) for other in seen)


def test_models_keep_the_setting_and_cards_of_whole_labels_do_not_name_it(tmp_path):
    """A model of soft labels is read as such; settings of whole labels are written as before."""
    spec = SYNTHESIZERS.parse({**TINY, "soft_labels": 0.5})
    train_synthesizer(toy_cohort([1, 2]), None, spec, tmp_path, seed=1, accelerator=PLAIN)
    loaded = load_synthesizer(tmp_path, PLAIN)
    labels = toy_case(5).labels
    first, again = (loaded.synthesize(labels, stream(3))[Modality.T1].voxels for _ in range(2))
    assert loaded.spec.soft_labels == 0.5
    assert np.array_equal(first, again)
    assert "soft_labels" not in SYNTHESIZERS.parse(TINY).model_dump(mode="json")
    assert "soft_labels" in spec.model_dump(mode="json")


def test_a_width_that_makes_no_sense_is_refused():
    """Not negative, and at most two voxels."""
    for width in (-0.1, 2.5):
        with pytest.raises(ValidationError, match="soft_labels"):
            SYNTHESIZERS.parse({**TINY, "soft_labels": width})
