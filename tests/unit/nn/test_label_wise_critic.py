"""Promises of the critics of one region each."""

import pytest
import torch

from glioforge.nn.patch_critic import LabelWiseCritic

REGIONS = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]], dtype=torch.bool)
BACKGROUND, BRAIN, LESION = range(3)


def critic(extra=0, **changes):
    """Three regions of four classes, two contrasts, two scales."""
    torch.manual_seed(0)
    return LabelWiseCritic(REGIONS, 6 + extra, 3, 2, **changes)


def one_hot(labels):
    """Class channels."""
    return torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).float()


def striped(*grid):
    """Background, brain and two lesion classes side by side."""
    labels = torch.arange(grid[-1]).mul(4).div(grid[-1], rounding_mode="floor").expand(2, *grid)
    return one_hot(labels)


@pytest.mark.parametrize(("dims", "grid"), [(2, (33, 32)), (2, (5, 7)), (3, (6, 5, 8))])
def test_six_critics_judge_and_every_parameter_learns(dims, grid):
    """Three regions at two scales."""
    judge = critic(dims=dims)
    scores, features = judge(striped(*grid), torch.randn(2, 2, *grid))
    assert (len(scores), [len(layers) for layers in features]) == (6, [2] * 6)
    sum(score.square().sum() for score in scores).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in judge.parameters())


def test_a_critic_sees_its_own_region_only():
    """Other voxels and other labels are 0 for it, the atlas too; the inputs are left as they were."""
    judge = critic(extra=1).eval()
    labels, atlas, image = striped(16, 16), torch.randn(2, 1, 16, 16), torch.randn(2, 2, 16, 16)
    condition = torch.cat([labels, atlas], dim=1)
    kept = condition.clone(), image.clone()
    before, _ = judge(condition, image)
    assert torch.equal(condition, kept[0])
    assert torch.equal(image, kept[1])
    changed_image, changed_atlas = (x + 5 * labels[:, 1:2] for x in (image, atlas))
    after, _ = judge(torch.cat([labels, changed_atlas], dim=1), changed_image)
    same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [True, True, False, False, True, True]


def test_a_missing_region_gives_no_gradient_and_no_difference():
    """A slice without lesion: scores and features of its critics are 0, and neither they nor the image learn."""
    judge = critic()
    image = torch.randn(2, 2, 16, 16, requires_grad=True)
    labels = one_hot(torch.ones(2, 16, 16, dtype=torch.int64))
    scores, features = judge(labels, image)
    assert [bool(score.any()) for score in scores] == [False, False, True, True, False, False]
    assert not any(bool(layer.any()) for scale in features[4:] for layer in scale)
    sum((1 - score).square().mean() for score in scores[4:]).backward()
    assert not image.grad.any()
    assert not any(bool(p.grad.any()) for p in judge.critics[LESION].parameters())


def test_weights_are_by_sample():
    """A slice with a lesion is judged as it is alone, beside one that has none."""
    judge = critic().eval()
    with_lesion, without = striped(16, 16)[:1], one_hot(torch.ones(1, 16, 16, dtype=torch.int64))
    image = torch.randn(2, 2, 16, 16)
    both, _ = judge(torch.cat([with_lesion, without]), image)
    alone, _ = judge(with_lesion, image[:1])
    torch.testing.assert_close(both[4][:1], alone[4])
    assert not both[4][1:].any()


def test_outside_the_brain_there_is_nothing_to_tell_apart():
    """Images that are 0 in the background score alike there, whatever they show inside."""
    judge = critic().eval()
    labels = striped(16, 16)
    inside = 1 - labels[:, :1]
    first, second = (judge(labels, torch.randn(2, 2, 16, 16) * inside)[0] for _ in range(2))
    assert torch.equal(first[BACKGROUND], second[BACKGROUND])
    assert not torch.equal(first[2 * BRAIN], second[2 * BRAIN])
