"""Promises of the coarse-to-fine generator."""

import pytest
import torch

from glioforge.nn.pix2pixhd import Pix2PixHDGenerator


def small(**changes):
    """A generator of one halving, one block and one enhancer."""
    torch.manual_seed(0)
    return Pix2PixHDGenerator(3, 2, 4, **{"halvings": 1, "blocks": 1, "enhancers": 1, "enhancer_blocks": 1, **changes})


def kernels(network):
    """Weights of convolutions, without constants and norms."""
    return sum(p.numel() for p in network.parameters() if p.ndim > 1)


def test_the_global_generator_has_the_parameters_of_the_layer_string():
    """c7s1-64, d128 to d1024, R1024 x 9, u512 to u64, c7s1-3: 182.4 million."""
    with torch.device("meta"):
        network = Pix2PixHDGenerator(3, 3)
    ladder = 9 * (64 * 128 + 128 * 256 + 256 * 512 + 512 * 1024)
    expected = 49 * 3 * 64 + 2 * ladder + 9 * 2 * 9 * 1024**2 + 49 * 64 * 3
    assert kernels(network) == expected
    constants = 64 + 128 + 256 + 512 + 1024 + 9 * 2 * 1024 + 512 + 256 + 128 + 64 + 3
    assert expected + constants == 182_443_267


def test_a_local_enhancer_adds_its_layer_string():
    """c7s1-32, d64, R64 x 3, u32, c7s1-3; the global generator's own last layer is kept for its training."""
    with torch.device("meta"):
        added = kernels(Pix2PixHDGenerator(3, 3, enhancers=1)) - kernels(Pix2PixHDGenerator(3, 3))
    assert added == 49 * 3 * 32 + 9 * 32 * 64 + 3 * 2 * 9 * 64**2 + 9 * 64 * 32 + 49 * 32 * 3


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 8)), (2, (1, 1)), (3, (5, 8, 7))])
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_any_grid_comes_back_and_every_parameter_learns(dims, grid, norm, upsampling):
    """Odd sizes are padded inside; noise joins as a channel."""
    network = small(dims=dims, norm=norm, upsampling=upsampling, noise=True)
    made = network(torch.randn(2, 3, *grid), torch.randn(2, 1, *grid))
    assert made.shape == (2, 2, *grid)
    made.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_the_coarse_level_trains_only_itself_but_leaves_no_gradient_missing():
    """The enhancer's gradients are 0; afterwards all levels are used again."""
    network, x = small(enhancers=2), torch.randn(1, 3, 8, 8)
    with network.coarse():
        network(x).square().sum().backward()
    moved = {name.split(".")[0] + name.split(".")[1] for name, p in network.named_parameters() if p.grad.any()}
    assert {name for name in moved if not name.startswith("whole")} == {"heads0"}
    assert network.level == 2
    with network.coarse(1):
        assert network(x).shape == (1, 2, 8, 8)


def test_enhancers_build_on_the_features_of_half_the_size():
    """Changing the global generator changes the fine image."""
    network, x = small(norm="none").eval(), torch.randn(1, 3, 8, 8)
    before = network(x)
    with torch.no_grad():
        network.whole[-1][0].bias.add_(1.0)
    assert not torch.equal(before, network(x))


def test_samples_of_a_batch_do_not_mix_in_evaluation():
    """A slice's image doesn't depend on its neighbours in the batch."""
    network, condition = small(norm="batch").eval(), torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(network(condition)[1:2], network(condition[1:2]))
