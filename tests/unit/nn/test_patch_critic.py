"""Promises of the multi-scale critic, and of the critics of one region each."""

import pytest
import torch

from glioforge.nn.blocks import low_pass
from glioforge.nn.patch_critic import LabelWiseCritic, MultiScaleCritic


@pytest.mark.parametrize(("dims", "grid"), [(2, (33, 32)), (2, (5, 7)), (3, (9, 16, 12)), (2, (2, 2))])
def test_scores_and_features_come_by_scale_and_every_parameter_learns(dims, grid):
    """Two scales, a feature map a layer, also on small and odd grids."""
    torch.manual_seed(0)
    critic = MultiScaleCritic(3, 4, 3, dims=dims)
    scores, features = critic(torch.randn(2, 2, *grid), torch.randn(2, 1, *grid))
    assert (len(scores), [len(layers) for layers in features]) == (2, [3, 3])
    sum(score.square().sum() for score in scores).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in critic.parameters())


def test_paper_widths_have_the_parameters_of_the_layer_table():
    """Two critics of four layers at width 64 on seven labels and one contrast, counted by hand."""
    with torch.device("meta"):
        critic = MultiScaleCritic(8, 64, 4, spectral=False)
    one = 16 * 8 * 64 + 64 + 16 * (64 * 128 + 128 * 256 + 256 * 512) + 16 * 512 + 1
    assert sum(p.numel() for p in critic.parameters()) == 2 * one


def test_one_scale_is_the_patch_critic_of_pix2pix():
    """C64-C128-C256-C512 on six channels: 2.77 million parameters; a score sees 70 x 70 pixels, 30 x 30 see 256 x 256.

    Batch norm has as many parameters as instance norm with scale and shift, which is the same over a batch of one.
    """
    critic = MultiScaleCritic(6, 64, 4, scales=1, spectral=False, affine=True, padding=1)
    assert critic(torch.zeros(1, 3, 256, 256), torch.zeros(1, 3, 256, 256))[0][0].shape == (1, 1, 30, 30)
    kernels = 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    assert sum(p.numel() for p in critic.parameters()) == kernels + 64 + 1 + 2 * (128 + 256 + 512) == 2_768_705
    plain = MultiScaleCritic(1, 2, 4, scales=1, spectral=False, norm="none", padding=1)
    image = torch.zeros(1, 1, 160, 160, requires_grad=True)
    plain(image[:, :0], image)[0][0][0, 0, 10, 10].backward()
    for axis in (2, 3):
        assert int(image.grad.any(axis=5 - axis).sum()) == 70


@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
def test_every_norm_leaves_every_parameter_a_gradient(norm):
    """Also those of the norm."""
    critic = MultiScaleCritic(2, 4, 3, norm=norm)
    critic(torch.randn(2, 1, 9, 8), torch.randn(2, 1, 9, 8))[0][0].square().sum().backward()
    assert all(p.grad is not None for p in critic.critics[0].parameters())


@pytest.mark.parametrize("grid", [(256, 256), (24, 40), (23, 5), (1, 1)])
def test_padding_of_one_takes_any_grid(grid):
    """Those too small for a score are filled up."""
    critic = MultiScaleCritic(1, 2, 4, scales=1, padding=1)
    score = critic(torch.zeros(1, 0, *grid), torch.randn(1, 1, *grid))[0][0]
    assert score.shape[2:] == tuple(max(1, n // 8 - 2) for n in grid)


def test_batch_norm_over_one_image_is_instance_norm_with_scale_and_shift():
    """What the presets of pix2pix build is the paper's norm at the paper's batch size."""
    torch.manual_seed(0)
    ours = MultiScaleCritic(2, 2, 3, scales=1, spectral=False, affine=True, padding=1)
    theirs = MultiScaleCritic(2, 2, 3, scales=1, spectral=False, norm="batch", padding=1)
    named = dict(ours.named_parameters())
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(named[name].normal_())
    x, y = torch.randn(1, 1, 32, 32), torch.randn(1, 1, 32, 32)
    torch.testing.assert_close(ours(x, y)[0][0], theirs(x, y)[0][0])


def test_samples_of_a_batch_do_not_mix():
    """A pair's scores don't depend on the other pairs."""
    critic = MultiScaleCritic(2, 4, 3).eval()
    x, y = torch.randn(3, 1, 16, 16), torch.randn(3, 1, 16, 16)
    torch.testing.assert_close(critic(x, y)[0][0][1:2], critic(x[1:2], y[1:2])[0][0])


def test_low_pass_keeps_constants_inside_and_spreads_a_point():
    """The kernel sums to 1 and has the binomial weights; none changes nothing."""
    point = torch.zeros(1, 2, 5, 5)
    point[..., 2, 2] = 16
    blurred = low_pass(point, 1)
    assert blurred[0, 1, 1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert low_pass(point, 0) is point
    assert torch.equal(low_pass(torch.ones(1, 1, 7, 7), 2)[..., 2:5, 2:5], torch.ones(1, 1, 3, 3))


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
