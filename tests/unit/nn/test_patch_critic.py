"""Promises of the multi-scale critic."""

import pytest
import torch

from glioforge.nn.low_pass import low_pass
from glioforge.nn.patch_critic import MultiScaleCritic


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
    """C64-C128-C256-C512 on six channels: 2.77 million parameters; a score sees 70 x 70 pixels."""
    critic = MultiScaleCritic(6, 64, 4, scales=1, spectral=False, norm="batch")
    kernels = 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    assert sum(p.numel() for p in critic.parameters()) == kernels + 64 + 1 + 2 * (128 + 256 + 512) == 2_768_705
    plain = MultiScaleCritic(1, 2, 4, scales=1, spectral=False, norm="none")
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
