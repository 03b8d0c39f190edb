"""Promises of the U-Net of pix2pix."""

import itertools
import math

import pytest
import torch

from glioforge.nn.blocks import gaussian
from glioforge.nn.pix2pix import NoiseDropout, Pix2PixGenerator, halvings, paper_widths


def small(dims=2, **changes):
    """A small generator of three levels."""
    torch.manual_seed(0)
    return Pix2PixGenerator(3, 2, (4, 6, 8), dims=dims, **{"norm": "instance", **changes})


def test_paper_widths_have_the_parameters_of_the_layer_table():
    """Eight levels at width 64 from three channels to three: 54.4 million, counted by hand."""
    with torch.device("meta"):
        network = Pix2PixGenerator(3, 3, paper_widths())
    encoder = [3, 64, 128, 256, 512, 512, 512, 512, 512]
    decoder = [(512, 512), (1024, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64), (128, 3)]
    kernels = 16 * (sum(a * b for a, b in itertools.pairwise(encoder)) + sum(a * b for a, b in decoder))
    norms = 2 * (sum(encoder[2:8]) + sum(b for _, b in decoder[:-1]))
    biases = 64 + 512 + 3
    assert sum(p.numel() for p in network.parameters()) == kernels + norms + biases == 54_414_531
    assert sum(isinstance(layer, NoiseDropout) for layer in network.modules()) == 3


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 8)), (2, (1, 1)), (3, (5, 8, 7))])
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_any_grid_comes_back_and_every_parameter_learns(dims, grid, norm, upsampling):
    """Odd sizes are padded inside; noise joins as a channel."""
    network = small(dims, norm=norm, upsampling=upsampling, noise=True)
    made = network(torch.randn(2, 3, *grid), torch.randn(2, 1, *grid))
    assert made.shape == (2, 2, *grid)
    made.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_the_papers_volume_is_halved_unevenly_and_hardly_padded():
    """128 x 128 x 54 with seven levels: 54 becomes 56, and is halved three times."""
    strides = halvings((128, 128, 54), 7)
    assert [math.prod(step[axis] for step in strides) for axis in range(3)] == [128, 128, 8]
    assert strides[0] == (2, 2, 1)
    with torch.device("meta"):
        network = Pix2PixGenerator(7, 4, paper_widths(64, 7), dims=3, norm="instance", strides=strides)
        assert network(torch.zeros(1, 7, 128, 128, 54)).shape == (1, 4, 128, 128, 54)


@pytest.mark.parametrize("grid", [(96, 80), (240, 240, 155), (5, 7, 3), (1, 1), (17, 9, 1)])
def test_halvings_never_pad_an_axis_by_more_than_an_eighth(grid):
    """As few levels as the grid allows, at least one, and none that halves nothing but on the smallest grids."""
    strides = halvings(grid, 7)
    factors = [math.prod(step[axis] for step in strides) for axis in range(len(grid))]
    assert all(-size % factor <= size / 8 for size, factor in zip(grid, factors, strict=True))
    assert 1 <= len(strides) <= 7
    assert len(strides) == 1 or all(2 in step for step in strides)
    network = Pix2PixGenerator(1, 1, (2,) * 7, dims=len(grid), norm="none", strides=strides)
    assert len(network.down) == len(strides)


def test_dropout_stays_on_in_evaluation_and_follows_its_seed():
    """Same seed, same bytes; another seed, another image; without dropout the seed is nothing."""
    x = torch.randn(2, 3, 16, 16)
    network = small().eval()
    with torch.no_grad():
        first, again = network(x), network(x)
        network.seed_dropout(1)
        other = network(x)
        network.seed_dropout(0)
        assert torch.equal(first, again)
        assert torch.equal(first, network(x))
        assert not torch.equal(first, other)
        plain = small(dropout=0.0).eval()
        before = plain(x)
        plain.seed_dropout(1)
        assert torch.equal(before, plain(x))


def test_dropout_keeps_the_mean_and_all_samples_share_a_mask_in_evaluation_only():
    """Half of the values are 0 and the others 2."""
    torch.manual_seed(0)
    layer, x = NoiseDropout(0.5), torch.ones(2, 8, 16, 16)
    free = layer(x)
    assert not torch.equal(free[0], free[1])
    held = layer.eval()(x)
    assert torch.equal(held[0], held[1])
    assert set(held.unique().tolist()) == {0.0, 2.0}
    assert float(held.mean()) == pytest.approx(1, abs=0.05)


def test_samples_of_a_batch_do_not_mix_in_evaluation():
    """A slice's image doesn't depend on its neighbours in the batch."""
    network = small(norm="batch").eval()
    condition = torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(network(condition)[1:2], network(condition[1:2]))


def test_gaussian_start_has_the_papers_spread():
    """Mean 0, deviation 0.02, norms untouched."""
    network = small(norm="batch")
    gaussian(network)
    weights = torch.cat([layer[1].weight.detach().flatten() for layer in network.down[1:]])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.1)
    assert network.up[0][2].weight.eq(1).all()
    assert not network.down[0][0].bias.any()
