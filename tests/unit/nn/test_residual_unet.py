"""Promises of the U-Net with a residual encoder."""

import itertools

import pytest
import torch

from glioforge.nn.residual_unet import ResidualUNet, StridedResidual


def counted(inputs, classes, widths, blocks, dims, heads):
    """Parameters by the table of layers: convolutions without bias before norms, which have two numbers a channel."""
    kernel = 3**dims

    def unit(a, b):
        return kernel * a * b + 2 * b

    def block(a, b):
        return unit(a, b) + unit(b, b) + (a * b + 2 * b if a != b else 0)

    down = unit(inputs, widths[0])
    for a, b, count in zip((widths[0], *widths), widths, blocks, strict=False):
        down += block(a, b) + (count - 1) * block(b, b)
    ways = list(itertools.pairwise(reversed(widths)))
    up = sum(kernel * a * b + b + unit(2 * b, b) for a, b in ways)
    return down + up + sum(b * classes + classes for _, b in ways[-heads:])


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 8)), (3, (5, 9, 4)), (3, (2, 1, 3))])
@pytest.mark.parametrize("supervised", [1, 2, 9])
def test_output_lies_on_the_input_grid_and_every_parameter_learns(dims, grid, supervised):
    """In training the logits of all supervised levels, in evaluation those of the finest."""
    network = ResidualUNet(2, 3, (4, 6, 8), (1, 2, 1), dims=dims, supervised=supervised)
    out = network(torch.randn(2, 2, *grid))
    assert out.shape == (2, 3 * min(supervised, 2), *grid)
    (out * torch.randn_like(out)).sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    with torch.no_grad():
        assert network.eval()(torch.randn(1, 2, *grid)).shape == (1, 3, *grid)


def test_the_finest_level_comes_first_in_training():
    """Dropping the coarser levels gives the logits of evaluation."""
    network = ResidualUNet(1, 2, (4, 6, 8), (1, 1, 1), dims=2, supervised=2)
    x = torch.randn(1, 1, 8, 8)
    assert torch.allclose(network(x)[:, :2], network.eval()(x), atol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("widths", "blocks"), [((4, 6, 8), (1, 2, 3)), ((8, 8), (2, 1))])
@pytest.mark.parametrize("heads", [1, 2])
def test_the_number_of_parameters_follows_from_the_table(dims, widths, blocks, heads):
    """Counted by hand from kernels, channels and norms."""
    network = ResidualUNet(2, 3, widths, blocks, dims=dims, supervised=heads)
    expected = counted(2, 3, widths, blocks, dims, min(heads, len(widths) - 1))
    assert sum(p.numel() for p in network.parameters()) == expected


def test_a_block_that_keeps_its_channels_starts_from_what_came_in():
    """Without its body a block is the activation of its input."""
    block = StridedResidual(3, 3, 1, dims=2, norm="instance", activation="relu")
    torch.nn.init.zeros_(block.body[-1].weight)
    x = torch.randn(2, 3, 5, 5)
    assert torch.allclose(block(x), x.relu())


def test_a_block_of_stride_two_halves_the_grid_and_averages_its_short_cut():
    """He et al. 2019: the average of 2 x 2 instead of one of four."""
    block = StridedResidual(3, 3, 2, dims=2, norm="instance", activation="relu")
    torch.nn.init.zeros_(block.body[-1].weight)
    x = torch.rand(1, 3, 4, 6)
    assert torch.allclose(block(x), torch.nn.functional.avg_pool2d(x, 2))


def test_samples_of_a_batch_do_not_mix():
    """In evaluation a patch's logits don't depend on its neighbours in the batch, nor on their order."""
    network = ResidualUNet(1, 2, (4, 8), (1, 1), dims=3, norm="batch").eval()
    batch = torch.randn(3, 1, 4, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(network(batch)[1:2], network(batch[1:2]))
        torch.testing.assert_close(network(batch.flip(0)).flip(0), network(batch))
